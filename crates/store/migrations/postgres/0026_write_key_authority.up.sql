-- A write key is public: what is sent with one is kept apart from what the organization's servers say.
-- Where a write key is used; NULL is a server.
ALTER TABLE api_keys ADD COLUMN source TEXT CHECK (source IN ('server', 'browser'));
-- Whether high-value types count that a browser or the client itself sends.
ALTER TABLE organizations ADD COLUMN count_self_told BOOLEAN NOT NULL DEFAULT FALSE;
-- Sent by a browser or with the client's own token.
ALTER TABLE client_engagement_events ADD COLUMN self_told BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE client_feedback ADD COLUMN self_told BOOLEAN NOT NULL DEFAULT FALSE;
-- The address that a write key told last; no mail goes there before its owner has agreed.
ALTER TABLE clients ADD COLUMN unconfirmed_email TEXT;

CREATE TABLE anonymous_ids (
  organization_id UUID NOT NULL,
  -- An id from before a person was known; names no client by itself, and no event.
  anonymous_id TEXT COLLATE "C" NOT NULL,
  client_id UUID NOT NULL,
  joined_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, anonymous_id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
);
CREATE INDEX anonymous_ids_by_client ON anonymous_ids (organization_id, client_id);

DO $$
DECLARE
  organization CONSTANT text := 'organization_id = NULLIF(current_setting(''mainstay.organization_id'', true), '''')::uuid';
  role CONSTANT text := 'current_setting(''mainstay.role'', true)';
BEGIN
  ALTER TABLE anonymous_ids ENABLE ROW LEVEL SECURITY;
  ALTER TABLE anonymous_ids FORCE ROW LEVEL SECURITY;
  GRANT SELECT, INSERT, UPDATE, DELETE ON anonymous_ids TO mainstay_app;
  EXECUTE format('CREATE POLICY system ON anonymous_ids USING (%s = ''system'')', role);
  EXECUTE format('CREATE POLICY service ON anonymous_ids USING (%s = ''service'' AND %s)', role, organization);
  EXECUTE format('CREATE POLICY member_read ON anonymous_ids FOR SELECT USING (%s IN (''owner'', ''admin'', ''staff'') AND %s)', role, organization);
END $$;
