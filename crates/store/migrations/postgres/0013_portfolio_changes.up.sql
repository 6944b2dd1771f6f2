-- Which clients' standing in the portfolio changed, in the order of the changes: stretches of ids, one
-- row a stretch, so that a score run leaves a row for thousands of clients. Whoever keeps the portfolio
-- in memory reads on from the last version that it knows; old rows are dropped.
CREATE TABLE portfolio_changes (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  version BIGINT NOT NULL,
  low UUID NOT NULL,
  high UUID NOT NULL,
  PRIMARY KEY (organization_id, version)
);

CREATE INDEX ended_alerts ON client_momentum_alerts (organization_id, ended_at, id) WHERE ended_at IS NOT NULL;

-- Members act on alerts and keep clients' records, which changes their standing.
DO $$
DECLARE
  organization CONSTANT text := 'organization_id = NULLIF(current_setting(''mainstay.organization_id'', true), '''')::uuid';
  role CONSTANT text := 'current_setting(''mainstay.role'', true)';
  members CONSTANT text := role || ' IN (''owner'', ''admin'', ''staff'') AND ' || organization;
BEGIN
  ALTER TABLE portfolio_changes ENABLE ROW LEVEL SECURITY;
  ALTER TABLE portfolio_changes FORCE ROW LEVEL SECURITY;
  GRANT SELECT, INSERT, UPDATE, DELETE ON portfolio_changes TO mainstay_app;
  EXECUTE format('CREATE POLICY system ON portfolio_changes USING (%s = ''system'')', role);
  EXECUTE format('CREATE POLICY service ON portfolio_changes USING (%s = ''service'' AND %s)', role, organization);
  EXECUTE format('CREATE POLICY member_read ON portfolio_changes FOR SELECT USING (%s)', members);
  EXECUTE format('CREATE POLICY member_insert ON portfolio_changes FOR INSERT WITH CHECK (%s)', members);
END $$;
