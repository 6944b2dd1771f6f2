-- What Segment's identify, group and alias need: whom an organization calls its clients, since when a
-- profile holds, which ids belong to which client, and which account a user belongs to.
ALTER TABLE organizations ADD COLUMN clients_are TEXT NOT NULL DEFAULT 'users'
  CHECK (clients_are IN ('users', 'groups'));
ALTER TABLE clients ADD COLUMN traits_at TIMESTAMPTZ;
ALTER TABLE clients ADD COLUMN group_at TIMESTAMPTZ;

CREATE TABLE client_aliases (
  organization_id UUID NOT NULL,
  -- An id that was merged into another client; never the external_id of a client too.
  external_id TEXT COLLATE "C" NOT NULL,
  client_id UUID NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, external_id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
);
CREATE INDEX client_aliases_by_client ON client_aliases (organization_id, client_id);

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

DO $$
DECLARE
  organization CONSTANT text := 'organization_id = NULLIF(current_setting(''mainstay.organization_id'', true), '''')::uuid';
  role CONSTANT text := 'current_setting(''mainstay.role'', true)';
  tenant_table text;
BEGIN
  FOREACH tenant_table IN ARRAY ARRAY['client_aliases', 'account_users'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO mainstay_app', tenant_table);
    EXECUTE format('CREATE POLICY system ON %I USING (%s = ''system'')', tenant_table, role);
    EXECUTE format('CREATE POLICY service ON %I USING (%s = ''service'' AND %s)', tenant_table, role, organization);
    EXECUTE format('CREATE POLICY member_read ON %I FOR SELECT USING (%s IN (''owner'', ''admin'', ''staff'') AND %s)', tenant_table, role, organization);
  END LOOP;
END $$;
