-- Loses what is known of people and groups, all but the latest account of each person, and events that
-- wait for an account.
DROP TABLE waiting_events;
DROP TABLE person_events;
CREATE TABLE account_users (
  organization_id UUID NOT NULL,
  user_id TEXT COLLATE "C" NOT NULL,
  -- The account: a client, where clients are accounts.
  client_id UUID NOT NULL,
  since TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, user_id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
);
CREATE INDEX account_users_by_client ON account_users (organization_id, client_id);
INSERT INTO account_users (organization_id, user_id, client_id, since)
SELECT organization_id, person_id, client_id, since FROM memberships m WHERE NOT EXISTS
  (SELECT 1 FROM memberships n WHERE n.organization_id = m.organization_id
   AND n.person_id = m.person_id AND (n.since, n.message_id) > (m.since, m.message_id));
DROP TABLE memberships;
DROP TABLE related_profiles;
ALTER TABLE clients DROP COLUMN told_at;
ALTER TABLE clients DROP COLUMN profile_times;
ALTER TABLE clients ADD COLUMN traits_at TIMESTAMPTZ;
ALTER TABLE clients ADD COLUMN group_at TIMESTAMPTZ;

DO $$
DECLARE
  organization CONSTANT text := 'organization_id = NULLIF(current_setting(''mainstay.organization_id'', true), '''')::uuid';
  role CONSTANT text := 'current_setting(''mainstay.role'', true)';
  tenant_table text;
BEGIN
  FOREACH tenant_table IN ARRAY ARRAY['account_users'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO mainstay_app', tenant_table);
    EXECUTE format('CREATE POLICY system ON %I USING (%s = ''system'')', tenant_table, role);
    EXECUTE format('CREATE POLICY service ON %I USING (%s = ''service'' AND %s)', tenant_table, role, organization);
    EXECUTE format('CREATE POLICY member_read ON %I FOR SELECT USING (%s IN (''owner'', ''admin'', ''staff'') AND %s)', tenant_table, role, organization);
  END LOOP;
END $$;
