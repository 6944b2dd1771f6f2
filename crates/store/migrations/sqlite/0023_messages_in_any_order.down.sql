-- Loses what is known of people and groups, all but the latest account of each person, and events that
-- wait for an account.
DROP TABLE waiting_events;
DROP TABLE person_events;
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
INSERT INTO account_users (organization_id, user_id, client_id, since)
SELECT organization_id, person_id, client_id, since FROM memberships m WHERE NOT EXISTS
  (SELECT 1 FROM memberships n WHERE n.organization_id = m.organization_id
   AND n.person_id = m.person_id AND (n.since, n.message_id) > (m.since, m.message_id));
DROP TABLE memberships;
DROP TABLE related_profiles;
ALTER TABLE clients DROP COLUMN told_at;
ALTER TABLE clients DROP COLUMN profile_times;
ALTER TABLE clients ADD COLUMN traits_at INTEGER;
ALTER TABLE clients ADD COLUMN group_at INTEGER;
