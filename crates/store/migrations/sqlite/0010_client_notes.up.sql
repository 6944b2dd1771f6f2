-- Who of the staff looks after a client. No foreign key: a key of two columns cannot set one of them
-- to NULL, so removing a member does it.
ALTER TABLE clients ADD COLUMN owner_member_id BLOB;
CREATE INDEX clients_by_owner ON clients (organization_id, owner_member_id) WHERE owner_member_id IS NOT NULL;

CREATE TABLE client_notes (
  organization_id BLOB NOT NULL,
  client_id BLOB NOT NULL,
  id BLOB NOT NULL,
  -- No foreign key: what a member wrote stays when the member goes.
  member_id BLOB NOT NULL,
  text TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, client_id, id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
) STRICT;
