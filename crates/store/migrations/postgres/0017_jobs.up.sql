-- What an organization changed about when its jobs run; the others run as built in.
CREATE TABLE job_schedules (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  job TEXT NOT NULL,
  cron TEXT NOT NULL,
  -- Nothing that was due before is made up for.
  changed_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, job)
);

-- Each period of a job once. Names of jobs are the code's: a new one needs no migration.
CREATE TABLE job_runs (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  id UUID NOT NULL,
  job TEXT NOT NULL,
  period TIMESTAMPTZ NOT NULL,
  -- Whether the schedule asked for it, rather than a person.
  scheduled BOOLEAN NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'succeeded', 'failed')),
  attempts BIGINT NOT NULL,
  due_at TIMESTAMPTZ NOT NULL,
  -- Counts up with every claim: whoever holds an older one has lost the run and writes nothing more.
  fence BIGINT NOT NULL,
  holder TEXT,
  lease_until TIMESTAMPTZ,
  step TEXT,
  done BIGINT NOT NULL,
  total BIGINT NOT NULL,
  counts JSONB NOT NULL,
  error TEXT,
  created_at TIMESTAMPTZ NOT NULL,
  started_at TIMESTAMPTZ,
  finished_at TIMESTAMPTZ,
  PRIMARY KEY (organization_id, id),
  UNIQUE (organization_id, job, period)
);
CREATE INDEX open_job_runs ON job_runs (organization_id) WHERE finished_at IS NULL;

DO $$
DECLARE
  organization CONSTANT text := 'organization_id = NULLIF(current_setting(''mainstay.organization_id'', true), '''')::uuid';
  role CONSTANT text := 'current_setting(''mainstay.role'', true)';
  tenant_table text;
BEGIN
  FOREACH tenant_table IN ARRAY ARRAY['job_schedules', 'job_runs'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO mainstay_app', tenant_table);
    EXECUTE format('CREATE POLICY system ON %I USING (%s = ''system'')', tenant_table, role);
    EXECUTE format('CREATE POLICY service ON %I USING (%s = ''service'' AND %s)', tenant_table, role, organization);
    EXECUTE format('CREATE POLICY member_read ON %I FOR SELECT USING (%s IN (''owner'', ''admin'', ''staff'') AND %s)', tenant_table, role, organization);
  END LOOP;
END $$;
