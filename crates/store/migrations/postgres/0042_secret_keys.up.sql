-- Which keys it takes to read an organization's secrets: ids of the operator's keys, or 'plain' for what
-- is stored as it is. What was stored until now is.
CREATE TABLE secret_keys (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  key_id TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (organization_id, key_id)
);
-- The owner is bound by row-level security too, and a migration has no role.
ALTER TABLE organizations NO FORCE ROW LEVEL SECURITY;
INSERT INTO secret_keys (organization_id, key_id) SELECT id, 'plain' FROM organizations;
ALTER TABLE organizations FORCE ROW LEVEL SECURITY;

DO $$
DECLARE
  organization CONSTANT text := 'organization_id = NULLIF((SELECT current_setting(''mainstay.organization_id'', true)), '''')::uuid';
  role CONSTANT text := '(SELECT current_setting(''mainstay.role'', true))';
  tenant_table text;
BEGIN
  FOREACH tenant_table IN ARRAY ARRAY['secret_keys'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO mainstay_app', tenant_table);
    EXECUTE format('CREATE POLICY system ON %I USING (%s = ''system'')', tenant_table, role);
    EXECUTE format('CREATE POLICY service ON %I USING (%s = ''service'' AND %s)', tenant_table, role, organization);
    EXECUTE format('CREATE POLICY administer ON %I USING (%s IN (''owner'', ''admin'') AND %s)', tenant_table, role, organization);
  END LOOP;
END $$;
