-- A key may expire by itself; the tokens of members do.
ALTER TABLE api_keys ADD COLUMN expires_at INTEGER;
-- A year from now for those that there are.
UPDATE api_keys SET expires_at = (unixepoch() + 31536000) * 1000000 WHERE kind = 'member';

-- Wrong passwords that were tried for a member, until the member confirms that it knows of them.
CREATE TABLE sign_in_failures (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  member_id BLOB NOT NULL,
  failures INTEGER NOT NULL,
  since INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, member_id),
  FOREIGN KEY (organization_id, member_id) REFERENCES members (organization_id, id) ON DELETE CASCADE
) STRICT;

-- Clients have no stored sessions: what lets them in is signed. Here stands what of it has ended early.
-- By the host app's id, since a token may be for a client that has not sent an event yet.
CREATE TABLE client_lockouts (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  external_id TEXT NOT NULL,
  sessions_from INTEGER NOT NULL,
  tokens_from INTEGER,
  PRIMARY KEY (organization_id, external_id)
) STRICT;
