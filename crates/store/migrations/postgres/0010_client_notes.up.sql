-- Who of the staff looks after a client. No foreign key: a key of two columns cannot set one of them
-- to NULL before PostgreSQL 15, so removing a member does it.
ALTER TABLE clients ADD COLUMN owner_member_id UUID;
CREATE INDEX clients_by_owner ON clients (organization_id, owner_member_id) WHERE owner_member_id IS NOT NULL;

CREATE TABLE client_notes (
  organization_id UUID NOT NULL,
  client_id UUID NOT NULL,
  id UUID NOT NULL,
  -- No foreign key: what a member wrote stays when the member goes.
  member_id UUID NOT NULL,
  text TEXT NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, client_id, id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
);

-- Members read, write and delete notes; that a note is one's own is checked by the query. No client
-- sees them.
DO $$
DECLARE
  organization CONSTANT text := 'organization_id = NULLIF(current_setting(''mainstay.organization_id'', true), '''')::uuid';
  role CONSTANT text := 'current_setting(''mainstay.role'', true)';
  members CONSTANT text := role || ' IN (''owner'', ''admin'', ''staff'') AND ' || organization;
BEGIN
  ALTER TABLE client_notes ENABLE ROW LEVEL SECURITY;
  ALTER TABLE client_notes FORCE ROW LEVEL SECURITY;
  GRANT SELECT, INSERT, UPDATE, DELETE ON client_notes TO mainstay_app;
  EXECUTE format('CREATE POLICY system ON client_notes USING (%s = ''system'')', role);
  EXECUTE format('CREATE POLICY service ON client_notes USING (%s = ''service'' AND %s)', role, organization);
  EXECUTE format('CREATE POLICY member_read ON client_notes FOR SELECT USING (%s)', members);
  EXECUTE format('CREATE POLICY member_insert ON client_notes FOR INSERT WITH CHECK (%s)', members);
  EXECUTE format('CREATE POLICY member_delete ON client_notes FOR DELETE USING (%s)', members);
END $$;
