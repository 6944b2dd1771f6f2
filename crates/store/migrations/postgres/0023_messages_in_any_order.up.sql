-- What makes the order of messages not matter: a time for each value of a profile, the account of a
-- person as of any instant, and events that wait until it is known whose they are.
ALTER TABLE clients DROP COLUMN traits_at;
ALTER TABLE clients DROP COLUMN group_at;
-- When each value was told and by which message, also of those that were cleared. A value without one
-- was told before times were kept, and gives way to whatever is told next.
ALTER TABLE clients ADD COLUMN profile_times JSONB NOT NULL DEFAULT '{}';
-- When the client was first told of, other than by an event.
ALTER TABLE clients ADD COLUMN told_at TIMESTAMPTZ;
UPDATE clients SET told_at = created_at;

-- What is told of those who are no clients: people, where clients are accounts, and groups, where
-- clients are users.
CREATE TABLE related_profiles (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  kind TEXT NOT NULL CHECK (kind IN ('person', 'group')),
  -- The host app's id.
  external_id TEXT COLLATE "C" NOT NULL,
  name TEXT,
  email TEXT,
  plan TEXT,
  traits JSONB NOT NULL,
  profile_times JSONB NOT NULL,
  told_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, kind, external_id)
);

-- Since when a person belongs to a client. All that was told is kept: which account a person was in
-- at an instant follows from it whatever arrived first.
CREATE TABLE memberships (
  organization_id UUID NOT NULL,
  person_id TEXT COLLATE "C" NOT NULL,
  since TIMESTAMPTZ NOT NULL,
  message_id TEXT COLLATE "C" NOT NULL,
  client_id UUID NOT NULL,
  PRIMARY KEY (organization_id, person_id, since, message_id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
);
CREATE INDEX memberships_by_client ON memberships (organization_id, client_id);
INSERT INTO memberships (organization_id, person_id, since, message_id, client_id)
SELECT organization_id, user_id, since, '', client_id FROM account_users;
DROP TABLE account_users;

-- Who did an event, for those that a person did for a client: by these an event moves to another
-- client when a membership arrives late.
CREATE TABLE person_events (
  organization_id UUID NOT NULL,
  person_id TEXT COLLATE "C" NOT NULL,
  occurred_at TIMESTAMPTZ NOT NULL,
  message_id TEXT COLLATE "C" NOT NULL,
  client_timestamp TIMESTAMPTZ NOT NULL,
  -- No foreign key, as for events.
  client_id UUID NOT NULL,
  -- Whether the client follows from the person's memberships; else the message named it.
  by_membership BOOLEAN NOT NULL,
  PRIMARY KEY (organization_id, person_id, occurred_at, message_id, client_timestamp)
);
CREATE INDEX person_events_by_client ON person_events (organization_id, client_id);

-- Events of people who belong to no client yet.
CREATE TABLE waiting_events (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  person_id TEXT COLLATE "C" NOT NULL,
  -- The beginning of 1970 of a message without a timestamp.
  client_timestamp TIMESTAMPTZ NOT NULL,
  message_id TEXT COLLATE "C" NOT NULL,
  received_at TIMESTAMPTZ NOT NULL,
  event JSONB NOT NULL,
  PRIMARY KEY (organization_id, person_id, client_timestamp, message_id)
);
CREATE INDEX waiting_events_by_time ON waiting_events (organization_id, received_at);

DO $$
DECLARE
  organization CONSTANT text := 'organization_id = (SELECT NULLIF(current_setting(''mainstay.organization_id'', true), '''')::uuid)';
  role CONSTANT text := '(SELECT current_setting(''mainstay.role'', true))';
  tenant_table text;
BEGIN
  FOREACH tenant_table IN ARRAY ARRAY['related_profiles', 'memberships', 'person_events', 'waiting_events'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO mainstay_app', tenant_table);
    EXECUTE format('CREATE POLICY system ON %I USING (%s = ''system'')', tenant_table, role);
    EXECUTE format('CREATE POLICY service ON %I USING (%s = ''service'' AND %s)', tenant_table, role, organization);
    EXECUTE format('CREATE POLICY member_read ON %I FOR SELECT USING (%s IN (''owner'', ''admin'', ''staff'') AND %s)', tenant_table, role, organization);
  END LOOP;
END $$;
