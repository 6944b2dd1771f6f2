-- Names sort by their bytes (COLLATE "C"), as on SQLite, so that pages are the same on both.
CREATE TABLE organizations (
  id UUID PRIMARY KEY,
  slug TEXT COLLATE "C" NOT NULL UNIQUE,
  name TEXT NOT NULL,
  time_zone TEXT NOT NULL,
  sample BOOLEAN NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  -- The score model that new scores are made with.
  model_version BIGINT NOT NULL,
  -- Newest as_of of any stored score: an event before it is late and makes stored scores stale.
  scored_until TIMESTAMPTZ,
  -- Last local day folded into client_activity_totals.
  folded_until DATE,
  -- Newest as_of of a health check: episodes only move forward in time.
  health_checked_until TIMESTAMPTZ
);

CREATE TABLE organization_secrets (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  kind TEXT NOT NULL CHECK (kind IN ('client_token')),
  secret TEXT NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, kind)
);

CREATE TABLE members (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  id UUID NOT NULL,
  email TEXT COLLATE "C" NOT NULL,
  name TEXT NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'staff')),
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, id),
  UNIQUE (organization_id, email)
);

CREATE TABLE api_keys (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  id UUID NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('secret', 'write', 'member')),
  member_id UUID,
  -- SHA-256 of the key's text, which is shown once and never stored.
  hash BYTEA NOT NULL,
  -- The first characters, by which people tell keys apart.
  prefix TEXT NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  revoked_at TIMESTAMPTZ,
  PRIMARY KEY (organization_id, id),
  FOREIGN KEY (organization_id, member_id) REFERENCES members (organization_id, id) ON DELETE CASCADE,
  CHECK ((kind = 'member') = (member_id IS NOT NULL))
);

CREATE TABLE event_names (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  name TEXT COLLATE "C" NOT NULL,
  event_type TEXT NOT NULL,
  PRIMARY KEY (organization_id, name)
);

CREATE TABLE score_models (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  version BIGINT NOT NULL,
  model JSONB NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, version)
);

-- Not unique: a constraint could not start with organization_id, and 256 random bits do not collide.
CREATE INDEX api_keys_by_hash ON api_keys (hash);
