-- A write key is public: what is sent with one is kept apart from what the organization's servers say.
-- Where a write key is used; NULL is a server.
ALTER TABLE api_keys ADD COLUMN source TEXT CHECK (source IN ('server', 'browser'));
-- Whether high-value types count that a browser or the client itself sends.
ALTER TABLE organizations ADD COLUMN count_self_told INTEGER NOT NULL DEFAULT 0
  CHECK (count_self_told IN (0, 1));
-- Sent by a browser or with the client's own token.
ALTER TABLE client_engagement_events ADD COLUMN self_told INTEGER NOT NULL DEFAULT 0
  CHECK (self_told IN (0, 1));
ALTER TABLE client_feedback ADD COLUMN self_told INTEGER NOT NULL DEFAULT 0
  CHECK (self_told IN (0, 1));
-- The address that a write key told last; no mail goes there before its owner has agreed.
ALTER TABLE clients ADD COLUMN unconfirmed_email TEXT;

CREATE TABLE anonymous_ids (
  organization_id BLOB NOT NULL,
  -- An id from before a person was known; names no client by itself, and no event.
  anonymous_id TEXT NOT NULL,
  client_id BLOB NOT NULL,
  joined_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, anonymous_id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX anonymous_ids_by_client ON anonymous_ids (organization_id, client_id);
