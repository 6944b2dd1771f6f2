-- The latest events that were refused, for whoever is wiring up an app: few a second and a few hundred
-- in all, whatever is sent.
CREATE TABLE refused_events (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  id BLOB NOT NULL,
  at INTEGER NOT NULL,
  field TEXT NOT NULL,
  reason TEXT NOT NULL,
  -- The beginning of what was sent, without what looks like a secret.
  body TEXT NOT NULL,
  -- How many more were refused in the same second and not kept.
  more INTEGER NOT NULL,
  PRIMARY KEY (organization_id, id)
) STRICT, WITHOUT ROWID;
