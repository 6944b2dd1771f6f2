-- Loses when keys expire, which wrong passwords were tried and which clients were signed out.
DO $$
DECLARE
  organization CONSTANT text := 'organization_id = NULLIF(current_setting(''mainstay.organization_id'', true), '''')::uuid';
  role CONSTANT text := 'current_setting(''mainstay.role'', true)';
  tenant_table text;
  policy text;
BEGIN
  FOREACH tenant_table IN ARRAY ARRAY['members', 'api_keys', 'sessions', 'sign_in_links'] LOOP
    FOREACH policy IN ARRAY ARRAY['owner_administer', 'admin_read', 'admin_insert', 'admin_update', 'admin_delete'] LOOP
      EXECUTE format('DROP POLICY %I ON %I', policy, tenant_table);
    END LOOP;
  END LOOP;
  FOREACH tenant_table IN ARRAY ARRAY['members', 'api_keys'] LOOP
    EXECUTE format('CREATE POLICY administer ON %I USING (%s IN (''owner'', ''admin'') AND %s)', tenant_table, role, organization);
  END LOOP;
END $$;
DROP TABLE client_lockouts;
DROP TABLE sign_in_failures;
ALTER TABLE api_keys DROP COLUMN expires_at;
