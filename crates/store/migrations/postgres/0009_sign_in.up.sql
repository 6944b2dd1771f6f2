-- Apart from members: staff may list members, nobody needs to read their passwords' hashes.
CREATE TABLE member_passwords (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  member_id UUID NOT NULL,
  -- Argon2id with its parameters and salt, as a PHC string.
  hash TEXT NOT NULL,
  changed_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, member_id),
  FOREIGN KEY (organization_id, member_id) REFERENCES members (organization_id, id) ON DELETE CASCADE
);

CREATE TABLE sessions (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  -- SHA-256 of the cookie's value, which is not stored.
  hash BYTEA NOT NULL,
  member_id UUID NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  used_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, hash),
  FOREIGN KEY (organization_id, member_id) REFERENCES members (organization_id, id) ON DELETE CASCADE
);

CREATE TABLE sign_in_links (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  -- SHA-256 of the link's secret, which is shown once and never stored.
  hash BYTEA NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('setup', 'invitation', 'reset', 'choice')),
  -- Whom it lets in; nobody yet for the link that makes the first owner.
  member_id UUID,
  created_at TIMESTAMPTZ NOT NULL,
  expires_at TIMESTAMPTZ NOT NULL,
  used_at TIMESTAMPTZ,
  PRIMARY KEY (organization_id, hash),
  FOREIGN KEY (organization_id, member_id) REFERENCES members (organization_id, id) ON DELETE CASCADE,
  CHECK ((kind = 'setup') = (member_id IS NULL))
);

-- Sites of the organization that may show its clients' pages in a frame and use the widgets.
CREATE TABLE allowed_sites (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  origin TEXT COLLATE "C" NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, origin)
);

-- Whoever signs in names no organization. Not unique, for the same reason as api_keys_by_hash.
CREATE INDEX members_by_email ON members (email);
CREATE INDEX sessions_by_hash ON sessions (hash);
CREATE INDEX sessions_by_member ON sessions (organization_id, member_id);
CREATE INDEX sign_in_links_by_hash ON sign_in_links (hash);

-- Who signs in is found before it is known whose organization it is (system), all else is done by the
-- service. Only the sites are settings like others: owner and admin change them, members read them.
DO $$
DECLARE
  organization CONSTANT text := 'organization_id = NULLIF(current_setting(''mainstay.organization_id'', true), '''')::uuid';
  role CONSTANT text := 'current_setting(''mainstay.role'', true)';
  tenant_table text;
BEGIN
  FOREACH tenant_table IN ARRAY ARRAY['member_passwords', 'sessions', 'sign_in_links', 'allowed_sites'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO mainstay_app', tenant_table);
    EXECUTE format('CREATE POLICY system ON %I USING (%s = ''system'')', tenant_table, role);
    EXECUTE format('CREATE POLICY service ON %I USING (%s = ''service'' AND %s)', tenant_table, role, organization);
  END LOOP;
  EXECUTE format('CREATE POLICY administer ON allowed_sites USING (%s IN (''owner'', ''admin'') AND %s)', role, organization);
  EXECUTE format('CREATE POLICY staff_read ON allowed_sites FOR SELECT USING (%s = ''staff'' AND %s)', role, organization);
END $$;
