-- The latest events that were refused, for whoever is wiring up an app: few a second and a few hundred
-- in all, whatever is sent.
CREATE TABLE refused_events (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  id UUID NOT NULL,
  at TIMESTAMPTZ NOT NULL,
  field TEXT NOT NULL,
  reason TEXT NOT NULL,
  -- The beginning of what was sent, without what looks like a secret.
  body TEXT NOT NULL,
  -- How many more were refused in the same second and not kept.
  more BIGINT NOT NULL,
  PRIMARY KEY (organization_id, id)
);

DO $$
DECLARE
  organization CONSTANT text := 'organization_id = NULLIF(current_setting(''mainstay.organization_id'', true), '''')::uuid';
  role CONSTANT text := 'current_setting(''mainstay.role'', true)';
BEGIN
  ALTER TABLE refused_events ENABLE ROW LEVEL SECURITY;
  ALTER TABLE refused_events FORCE ROW LEVEL SECURITY;
  GRANT SELECT, INSERT, UPDATE, DELETE ON refused_events TO mainstay_app;
  EXECUTE format('CREATE POLICY system ON refused_events USING (%s = ''system'')', role);
  EXECUTE format('CREATE POLICY service ON refused_events USING (%s = ''service'' AND %s)', role, organization);
  EXECUTE format('CREATE POLICY member_read ON refused_events FOR SELECT USING (%s IN (''owner'', ''admin'', ''staff'') AND %s)', role, organization);
END $$;
