CREATE TABLE organizations (
  id BLOB PRIMARY KEY NOT NULL,
  slug TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  time_zone TEXT NOT NULL,
  sample INTEGER NOT NULL CHECK (sample IN (0, 1)),
  created_at INTEGER NOT NULL,
  -- The score model that new scores are made with.
  model_version INTEGER NOT NULL,
  -- Newest as_of of any stored score: an event before it is late and makes stored scores stale.
  scored_until INTEGER,
  -- Last local day folded into client_activity_totals.
  folded_until INTEGER,
  -- Newest as_of of a health check: episodes only move forward in time.
  health_checked_until INTEGER
) STRICT;

CREATE TABLE organization_secrets (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  kind TEXT NOT NULL CHECK (kind IN ('client_token')),
  secret TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, kind)
) STRICT;

CREATE TABLE members (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  id BLOB NOT NULL,
  email TEXT NOT NULL,
  name TEXT NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'staff')),
  created_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, id),
  UNIQUE (organization_id, email)
) STRICT;

CREATE TABLE api_keys (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  id BLOB NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('secret', 'write', 'member')),
  member_id BLOB,
  -- SHA-256 of the key's text, which is shown once and never stored.
  hash BLOB NOT NULL,
  -- The first characters, by which people tell keys apart.
  prefix TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  revoked_at INTEGER,
  PRIMARY KEY (organization_id, id),
  FOREIGN KEY (organization_id, member_id) REFERENCES members (organization_id, id) ON DELETE CASCADE,
  CHECK ((kind = 'member') = (member_id IS NOT NULL))
) STRICT;

CREATE TABLE event_names (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  event_type TEXT NOT NULL,
  PRIMARY KEY (organization_id, name)
) STRICT;

CREATE TABLE score_models (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  version INTEGER NOT NULL,
  model TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, version)
) STRICT;

-- Not unique: a constraint could not start with organization_id, and 256 random bits do not collide.
CREATE INDEX api_keys_by_hash ON api_keys (hash);
