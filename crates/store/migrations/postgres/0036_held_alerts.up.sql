-- A silence of part of the data: how many clients came when it was noticed, and how many usually do.
-- NULL where no event came at all.
ALTER TABLE data_silences ADD COLUMN clients BIGINT;
ALTER TABLE data_silences ADD COLUMN usual_clients BIGINT;

-- Which hours brought events with which key: what tells that the app behind a key has fallen silent.
-- Kept for some weeks only, and written once a second, not for every event.
CREATE TABLE key_activity (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  key_id UUID NOT NULL,
  -- Hours since 1970, UTC.
  hour BIGINT NOT NULL,
  events BIGINT NOT NULL,
  PRIMARY KEY (organization_id, key_id, hour)
);

-- By which key a client's events come: one row a client and key, written once a day at most.
CREATE TABLE client_keys (
  organization_id UUID NOT NULL,
  client_id UUID NOT NULL,
  key_id UUID NOT NULL,
  -- On how many UTC days something came by it, and on which of them last.
  days BIGINT NOT NULL,
  last_day DATE NOT NULL,
  PRIMARY KEY (organization_id, client_id, key_id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
);

-- When no event comes with a key that had some: the app behind it is silent, not its clients.
CREATE TABLE key_silences (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  key_id UUID NOT NULL,
  -- The end of the last hour with an event.
  since TIMESTAMPTZ NOT NULL,
  noticed_at TIMESTAMPTZ NOT NULL,
  ended_at TIMESTAMPTZ,
  PRIMARY KEY (organization_id, key_id, since)
);
CREATE UNIQUE INDEX one_open_key_silence ON key_silences (organization_id, key_id) WHERE ended_at IS NULL;

-- How it ended by itself: recovered or faded. NULL while it is open, and when a member ended it.
ALTER TABLE client_momentum_alerts ADD COLUMN ending TEXT CHECK (ending IN ('recovered', 'faded'));
-- How many are held back is asked for with every page of staff.
CREATE INDEX held_alerts_by_status ON client_momentum_alerts (organization_id, status) WHERE held_at IS NOT NULL;

-- Whether it waits for a person, because the playbook would act for so many clients at once; otherwise
-- what has not started waits for data that are missing.
ALTER TABLE playbook_runs ADD COLUMN needs_approval BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX runs_by_playbook ON playbook_runs (organization_id, playbook_id, found_at);

DO $$
DECLARE
  organization CONSTANT text := 'organization_id = NULLIF(current_setting(''mainstay.organization_id'', true), '''')::uuid';
  role CONSTANT text := 'current_setting(''mainstay.role'', true)';
  tenant_table text;
BEGIN
  FOREACH tenant_table IN ARRAY ARRAY['key_activity', 'client_keys', 'key_silences'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO mainstay_app', tenant_table);
    EXECUTE format('CREATE POLICY system ON %I USING (%s = ''system'')', tenant_table, role);
    EXECUTE format('CREATE POLICY service ON %I USING (%s = ''service'' AND %s)', tenant_table, role, organization);
  END LOOP;
  EXECUTE format('CREATE POLICY member_read ON key_silences FOR SELECT USING (%s IN (''owner'', ''admin'', ''staff'') AND %s)', role, organization);
END $$;
