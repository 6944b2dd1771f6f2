CREATE TABLE client_success_scores (
  organization_id BLOB NOT NULL,
  -- Calendar day of as_of in the organization's time zone: one score a client and day.
  day INTEGER NOT NULL,
  client_id BLOB NOT NULL,
  as_of INTEGER NOT NULL,
  overall INTEGER NOT NULL,
  engagement INTEGER NOT NULL,
  activation INTEGER NOT NULL,
  progress INTEGER NOT NULL,
  satisfaction INTEGER NOT NULL,
  momentum INTEGER NOT NULL,
  coverage INTEGER NOT NULL,
  previous INTEGER,
  previous_as_of INTEGER,
  change INTEGER,
  trend TEXT NOT NULL CHECK (trend IN ('rising', 'stable', 'declining')),
  model_version INTEGER NOT NULL,
  -- What the score was made from: with the model of that version, all of its evidence.
  inputs TEXT NOT NULL,
  computed_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, day, client_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE score_days (
  -- The days that have scores, to step from one to the next without searching.
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  day INTEGER NOT NULL,
  PRIMARY KEY (organization_id, day)
) STRICT, WITHOUT ROWID;

CREATE TABLE stale_scores (
  -- Clients of whom something late arrived: their stored scores after `since` are computed again.
  organization_id BLOB NOT NULL,
  client_id BLOB NOT NULL,
  since INTEGER NOT NULL,
  PRIMARY KEY (organization_id, client_id)
) STRICT, WITHOUT ROWID;
