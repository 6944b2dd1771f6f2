-- Which keys it takes to read an organization's secrets: ids of the operator's keys, or 'plain' for what
-- is stored as it is. What was stored until now is.
CREATE TABLE secret_keys (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  key_id TEXT NOT NULL,
  PRIMARY KEY (organization_id, key_id)
) STRICT, WITHOUT ROWID;
INSERT INTO secret_keys (organization_id, key_id) SELECT id, 'plain' FROM organizations;
