-- When no client at all sends events, the events are missing rather than the clients: one notice, and
-- the alerts that such a silence opens are held until events come again.
CREATE TABLE data_silences (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  -- The last event before it.
  since TIMESTAMPTZ NOT NULL,
  noticed_at TIMESTAMPTZ NOT NULL,
  ended_at TIMESTAMPTZ,
  PRIMARY KEY (organization_id, since)
);

-- At most one at a time, whatever runs at the same time.
CREATE UNIQUE INDEX one_open_data_silence ON data_silences (organization_id) WHERE ended_at IS NULL;

-- While set, the alert is open and told to nobody.
ALTER TABLE client_momentum_alerts ADD COLUMN held_at TIMESTAMPTZ;
CREATE INDEX held_alerts ON client_momentum_alerts (organization_id, id) WHERE held_at IS NOT NULL;

DO $$
DECLARE
  organization CONSTANT text := 'organization_id = NULLIF(current_setting(''mainstay.organization_id'', true), '''')::uuid';
  role CONSTANT text := 'current_setting(''mainstay.role'', true)';
BEGIN
  ALTER TABLE data_silences ENABLE ROW LEVEL SECURITY;
  ALTER TABLE data_silences FORCE ROW LEVEL SECURITY;
  GRANT SELECT, INSERT, UPDATE, DELETE ON data_silences TO mainstay_app;
  EXECUTE format('CREATE POLICY system ON data_silences USING (%s = ''system'')', role);
  EXECUTE format('CREATE POLICY service ON data_silences USING (%s = ''service'' AND %s)', role, organization);
  EXECUTE format('CREATE POLICY member_read ON data_silences FOR SELECT USING (%s IN (''owner'', ''admin'', ''staff'') AND %s)', role, organization);
END $$;
