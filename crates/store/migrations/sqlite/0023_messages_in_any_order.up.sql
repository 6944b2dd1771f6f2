-- What makes the order of messages not matter: a time for each value of a profile, the account of a
-- person as of any instant, and events that wait until it is known whose they are.
ALTER TABLE clients DROP COLUMN traits_at;
ALTER TABLE clients DROP COLUMN group_at;
-- When each value was told and by which message, also of those that were cleared. A value without one
-- was told before times were kept, and gives way to whatever is told next.
ALTER TABLE clients ADD COLUMN profile_times TEXT NOT NULL DEFAULT '{}';
-- When the client was first told of, other than by an event.
ALTER TABLE clients ADD COLUMN told_at INTEGER;
UPDATE clients SET told_at = created_at;

-- What is told of those who are no clients: people, where clients are accounts, and groups, where
-- clients are users.
CREATE TABLE related_profiles (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  kind TEXT NOT NULL CHECK (kind IN ('person', 'group')),
  -- The host app's id.
  external_id TEXT NOT NULL,
  name TEXT,
  email TEXT,
  plan TEXT,
  traits TEXT NOT NULL,
  profile_times TEXT NOT NULL,
  told_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, kind, external_id)
) STRICT, WITHOUT ROWID;

-- Since when a person belongs to a client. All that was told is kept: which account a person was in
-- at an instant follows from it whatever arrived first.
CREATE TABLE memberships (
  organization_id BLOB NOT NULL,
  person_id TEXT NOT NULL,
  since INTEGER NOT NULL,
  message_id TEXT NOT NULL,
  client_id BLOB NOT NULL,
  PRIMARY KEY (organization_id, person_id, since, message_id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX memberships_by_client ON memberships (organization_id, client_id);
INSERT INTO memberships (organization_id, person_id, since, message_id, client_id)
SELECT organization_id, user_id, since, '', client_id FROM account_users;
DROP TABLE account_users;

-- Who did an event, for those that a person did for a client: by these an event moves to another
-- client when a membership arrives late.
CREATE TABLE person_events (
  organization_id BLOB NOT NULL,
  person_id TEXT NOT NULL,
  occurred_at INTEGER NOT NULL,
  message_id TEXT NOT NULL,
  client_timestamp INTEGER NOT NULL,
  -- No foreign key, as for events.
  client_id BLOB NOT NULL,
  -- Whether the client follows from the person's memberships; else the message named it.
  by_membership INTEGER NOT NULL CHECK (by_membership IN (0, 1)),
  PRIMARY KEY (organization_id, person_id, occurred_at, message_id, client_timestamp)
) STRICT, WITHOUT ROWID;
CREATE INDEX person_events_by_client ON person_events (organization_id, client_id);

-- Events of people who belong to no client yet.
CREATE TABLE waiting_events (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  person_id TEXT NOT NULL,
  -- 0 of a message without a timestamp.
  client_timestamp INTEGER NOT NULL,
  message_id TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  event TEXT NOT NULL,
  PRIMARY KEY (organization_id, person_id, client_timestamp, message_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX waiting_events_by_time ON waiting_events (organization_id, received_at);
