-- What Segment's identify, group and alias need: whom an organization calls its clients, since when a
-- profile holds, which ids belong to which client, and which account a user belongs to.
ALTER TABLE organizations ADD COLUMN clients_are TEXT NOT NULL DEFAULT 'users'
  CHECK (clients_are IN ('users', 'groups'));
ALTER TABLE clients ADD COLUMN traits_at INTEGER;
ALTER TABLE clients ADD COLUMN group_at INTEGER;

CREATE TABLE client_aliases (
  organization_id BLOB NOT NULL,
  -- An id that was merged into another client; never the external_id of a client too.
  external_id TEXT NOT NULL,
  client_id BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, external_id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX client_aliases_by_client ON client_aliases (organization_id, client_id);

CREATE TABLE account_users (
  organization_id BLOB NOT NULL,
  user_id TEXT NOT NULL,
  -- The account: a client, where clients are accounts.
  client_id BLOB NOT NULL,
  since INTEGER NOT NULL,
  PRIMARY KEY (organization_id, user_id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX account_users_by_client ON account_users (organization_id, client_id);
