-- Ids of deleted clients that stay away: what is sent of them is refused. Only a keyed hash is kept of
-- each, so that nothing here names anybody.
CREATE TABLE erased_clients (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  -- HMAC-SHA256 of the id with the organization's key, in hexadecimal digits.
  id_hash TEXT NOT NULL,
  erased_at INTEGER NOT NULL,
  -- Until when it stays away; NULL for good.
  keep_out_until INTEGER,
  -- How much was refused of it since, and when the latest.
  refused INTEGER NOT NULL,
  refused_at INTEGER,
  PRIMARY KEY (organization_id, id_hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE erasure_keys (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  -- What ids are hashed with. A secret, and encrypted as such.
  secret TEXT NOT NULL,
  PRIMARY KEY (organization_id)
) STRICT, WITHOUT ROWID;
