-- A key may expire by itself; the tokens of members do.
ALTER TABLE api_keys ADD COLUMN expires_at TIMESTAMPTZ;
-- A year from now for those that there are. The owner is bound by the policies, too.
ALTER TABLE api_keys NO FORCE ROW LEVEL SECURITY;
UPDATE api_keys SET expires_at = now() + INTERVAL '365 days' WHERE kind = 'member';
ALTER TABLE api_keys FORCE ROW LEVEL SECURITY;

-- Wrong passwords that were tried for a member, until the member confirms that it knows of them.
CREATE TABLE sign_in_failures (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  member_id UUID NOT NULL,
  failures BIGINT NOT NULL,
  since TIMESTAMPTZ NOT NULL,
  last_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, member_id),
  FOREIGN KEY (organization_id, member_id) REFERENCES members (organization_id, id) ON DELETE CASCADE
);

-- Clients have no stored sessions: what lets them in is signed. Here stands what of it has ended early.
-- By the host app's id, since a token may be for a client that has not sent an event yet.
CREATE TABLE client_lockouts (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  external_id TEXT COLLATE "C" NOT NULL,
  sessions_from TIMESTAMPTZ NOT NULL,
  tokens_from TIMESTAMPTZ,
  PRIMARY KEY (organization_id, external_id)
);

-- Both belong to signing in, which is the service's business alone.
DO $$
DECLARE
  organization CONSTANT text := 'organization_id = NULLIF(current_setting(''mainstay.organization_id'', true), '''')::uuid';
  role CONSTANT text := 'current_setting(''mainstay.role'', true)';
  tenant_table text;
BEGIN
  FOREACH tenant_table IN ARRAY ARRAY['sign_in_failures', 'client_lockouts'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO mainstay_app', tenant_table);
    EXECUTE format('CREATE POLICY system ON %I USING (%s = ''system'')', tenant_table, role);
    EXECUTE format('CREATE POLICY service ON %I USING (%s = ''service'' AND %s)', tenant_table, role, organization);
  END LOOP;
END $$;

-- An admin is no owner: it reads owners, and neither makes nor changes one, nor a key or link of one, nor
-- ends its sessions. What is above whoever asks is refused by the server first; this holds it to that.
DO $$
DECLARE
  organization CONSTANT text := 'organization_id = NULLIF(current_setting(''mainstay.organization_id'', true), '''')::uuid';
  is_owner CONSTANT text := 'current_setting(''mainstay.role'', true) = ''owner''';
  is_admin CONSTANT text := 'current_setting(''mainstay.role'', true) = ''admin''';
  of_no_owner text;
  tenant_table text;
BEGIN
  DROP POLICY administer ON members;
  EXECUTE format('CREATE POLICY owner_administer ON members USING (%s AND %s)', is_owner, organization);
  EXECUTE format('CREATE POLICY admin_read ON members FOR SELECT USING (%s AND %s)', is_admin, organization);
  EXECUTE format('CREATE POLICY admin_insert ON members FOR INSERT WITH CHECK (%s AND %s AND role <> ''owner'')', is_admin, organization);
  EXECUTE format('CREATE POLICY admin_update ON members FOR UPDATE USING (%s AND %s AND role <> ''owner'')', is_admin, organization);
  EXECUTE format('CREATE POLICY admin_delete ON members FOR DELETE USING (%s AND %s AND role <> ''owner'')', is_admin, organization);

  DROP POLICY administer ON api_keys;
  FOREACH tenant_table IN ARRAY ARRAY['api_keys', 'sessions', 'sign_in_links'] LOOP
    of_no_owner := format('(member_id IS NULL OR EXISTS (SELECT FROM members m WHERE m.organization_id = %I.organization_id AND m.id = member_id AND m.role <> ''owner''))', tenant_table);
    EXECUTE format('CREATE POLICY owner_administer ON %I USING (%s AND %s)', tenant_table, is_owner, organization);
    EXECUTE format('CREATE POLICY admin_read ON %I FOR SELECT USING (%s AND %s)', tenant_table, is_admin, organization);
    EXECUTE format('CREATE POLICY admin_insert ON %I FOR INSERT WITH CHECK (%s AND %s AND %s)', tenant_table, is_admin, organization, of_no_owner);
    EXECUTE format('CREATE POLICY admin_update ON %I FOR UPDATE USING (%s AND %s AND %s)', tenant_table, is_admin, organization, of_no_owner);
    EXECUTE format('CREATE POLICY admin_delete ON %I FOR DELETE USING (%s AND %s AND %s)', tenant_table, is_admin, organization, of_no_owner);
  END LOOP;
END $$;
