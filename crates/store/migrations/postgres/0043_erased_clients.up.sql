-- Ids of deleted clients that stay away: what is sent of them is refused. Only a keyed hash is kept of
-- each, so that nothing here names anybody.
CREATE TABLE erased_clients (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  -- HMAC-SHA256 of the id with the organization's key, in hexadecimal digits.
  id_hash TEXT COLLATE "C" NOT NULL,
  erased_at TIMESTAMPTZ NOT NULL,
  -- Until when it stays away; NULL for good.
  keep_out_until TIMESTAMPTZ,
  -- How much was refused of it since, and when the latest.
  refused BIGINT NOT NULL,
  refused_at TIMESTAMPTZ,
  PRIMARY KEY (organization_id, id_hash)
);

CREATE TABLE erasure_keys (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  -- What ids are hashed with. A secret, and encrypted as such.
  secret TEXT NOT NULL,
  PRIMARY KEY (organization_id)
);

DO $$
DECLARE
  organization CONSTANT text := 'organization_id = NULLIF((SELECT current_setting(''mainstay.organization_id'', true)), '''')::uuid';
  role CONSTANT text := '(SELECT current_setting(''mainstay.role'', true))';
  tenant_table text;
BEGIN
  FOREACH tenant_table IN ARRAY ARRAY['erased_clients', 'erasure_keys'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO mainstay_app', tenant_table);
    EXECUTE format('CREATE POLICY system ON %I USING (%s = ''system'')', tenant_table, role);
    EXECUTE format('CREATE POLICY service ON %I USING (%s = ''service'' AND %s)', tenant_table, role, organization);
    EXECUTE format('CREATE POLICY administer ON %I USING (%s IN (''owner'', ''admin'') AND %s)', tenant_table, role, organization);
    EXECUTE format('CREATE POLICY member_read ON %I FOR SELECT USING (%s IN (''owner'', ''admin'', ''staff'') AND %s)', tenant_table, role, organization);
  END LOOP;
END $$;
