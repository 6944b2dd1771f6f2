CREATE TABLE client_success_scores (
  organization_id UUID NOT NULL,
  -- Calendar day of as_of in the organization's time zone: one score a client and day.
  day DATE NOT NULL,
  client_id UUID NOT NULL,
  as_of TIMESTAMPTZ NOT NULL,
  overall BIGINT NOT NULL,
  engagement BIGINT NOT NULL,
  activation BIGINT NOT NULL,
  progress BIGINT NOT NULL,
  satisfaction BIGINT NOT NULL,
  momentum BIGINT NOT NULL,
  coverage BIGINT NOT NULL,
  previous BIGINT,
  previous_as_of TIMESTAMPTZ,
  change BIGINT,
  trend TEXT NOT NULL CHECK (trend IN ('rising', 'stable', 'declining')),
  model_version BIGINT NOT NULL,
  -- What the score was made from: with the model of that version, all of its evidence.
  inputs JSONB NOT NULL,
  computed_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, day, client_id)
);

CREATE TABLE score_days (
  -- The days that have scores, to step from one to the next without searching.
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  day DATE NOT NULL,
  PRIMARY KEY (organization_id, day)
);

CREATE TABLE stale_scores (
  -- Clients of whom something late arrived: their stored scores after `since` are computed again.
  organization_id UUID NOT NULL,
  client_id UUID NOT NULL,
  since TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, client_id)
);
