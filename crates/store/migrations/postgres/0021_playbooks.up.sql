-- What follows from an alert or a change of the band, as the organization decided.
CREATE TABLE playbooks (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  id UUID NOT NULL,
  enabled BOOLEAN NOT NULL,
  -- Name, trigger and actions.
  playbook JSONB NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  changed_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, id)
);

CREATE TABLE playbook_runs (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  -- No foreign key, and the name as it was: what a playbook did stays when it is deleted.
  playbook_id UUID NOT NULL,
  name TEXT NOT NULL,
  client_id UUID NOT NULL,
  -- What started it: an alert, or the band of the score of a local day. No foreign key: what was done
  -- stays.
  alert_id UUID,
  day DATE,
  band_from TEXT,
  band_to TEXT,
  found_at TIMESTAMPTZ NOT NULL,
  -- NULL while it waits for the end of a silence of the data.
  started_at TIMESTAMPTZ,
  -- What became of the actions that leave no row of their own.
  deeds JSONB NOT NULL,
  recovered_at TIMESTAMPTZ,
  PRIMARY KEY (organization_id, id),
  CHECK ((alert_id IS NULL) <> (day IS NULL)),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
);

-- Once an episode, and once a client and day, whatever runs at the same time.
CREATE UNIQUE INDEX one_run_an_episode ON playbook_runs (organization_id, playbook_id, alert_id) WHERE alert_id IS NOT NULL;
CREATE UNIQUE INDEX one_run_a_day ON playbook_runs (organization_id, playbook_id, client_id, day) WHERE day IS NOT NULL;
CREATE INDEX runs_by_alert ON playbook_runs (organization_id, alert_id) WHERE alert_id IS NOT NULL;
CREATE INDEX runs_by_client ON playbook_runs (organization_id, client_id, id);
CREATE INDEX waiting_runs ON playbook_runs (organization_id, client_id) WHERE started_at IS NULL;

-- What staff are to do for a client. Not a task of the client's own: those are onboarding_tasks.
CREATE TABLE staff_tasks (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  client_id UUID NOT NULL,
  -- No foreign key, as with a client's owner: removing a member gives its tasks up.
  owner_member_id UUID,
  title TEXT NOT NULL,
  text TEXT NOT NULL,
  -- A day of the organization's calendar; the task is late when that day is over.
  due_on DATE NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('open', 'done', 'dismissed')),
  -- What led to it; no foreign keys, since the task outlives them.
  alert_id UUID,
  playbook_run_id UUID,
  created_by UUID,
  created_at TIMESTAMPTZ NOT NULL,
  finished_by UUID,
  finished_at TIMESTAMPTZ,
  PRIMARY KEY (organization_id, id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
);

CREATE INDEX staff_tasks_by_due ON staff_tasks (organization_id, state, due_on, id);
CREATE INDEX staff_tasks_by_client ON staff_tasks (organization_id, client_id);
CREATE INDEX staff_tasks_by_alert ON staff_tasks (organization_id, alert_id) WHERE alert_id IS NOT NULL;
CREATE INDEX staff_tasks_by_run ON staff_tasks (organization_id, playbook_run_id) WHERE playbook_run_id IS NOT NULL;

-- The score as it stood when the alert opened and the one it was compared with: what recovery is
-- measured by. The figures follow the score while the alert is open.
ALTER TABLE client_momentum_alerts ADD COLUMN score_then BIGINT;
ALTER TABLE client_momentum_alerts ADD COLUMN score_before BIGINT;
-- When the client had recovered, if it did in time.
ALTER TABLE client_momentum_alerts ADD COLUMN recovered_at TIMESTAMPTZ;
-- When a silence of the data that held it had ended.
ALTER TABLE client_momentum_alerts ADD COLUMN released_at TIMESTAMPTZ;
CREATE INDEX unrecovered_alerts ON client_momentum_alerts (organization_id, client_id, opened_at) WHERE recovered_at IS NULL;
CREATE INDEX alerts_by_opening ON client_momentum_alerts (organization_id, opened_at);

-- Owners and admins decide what follows; every member has tasks. No client sees any of it.
DO $$
DECLARE
  organization CONSTANT text := 'organization_id = NULLIF(current_setting(''mainstay.organization_id'', true), '''')::uuid';
  role CONSTANT text := 'current_setting(''mainstay.role'', true)';
  members CONSTANT text := role || ' IN (''owner'', ''admin'', ''staff'') AND ' || organization;
  tenant_table text;
BEGIN
  FOREACH tenant_table IN ARRAY ARRAY['playbooks', 'playbook_runs', 'staff_tasks'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO mainstay_app', tenant_table);
    EXECUTE format('CREATE POLICY system ON %I USING (%s = ''system'')', tenant_table, role);
    EXECUTE format('CREATE POLICY service ON %I USING (%s = ''service'' AND %s)', tenant_table, role, organization);
  END LOOP;
  EXECUTE format('CREATE POLICY administer ON playbooks USING (%s IN (''owner'', ''admin'') AND %s)', role, organization);
  EXECUTE format('CREATE POLICY staff_read ON playbooks FOR SELECT USING (%s = ''staff'' AND %s)', role, organization);
  EXECUTE format('CREATE POLICY member_read ON playbook_runs FOR SELECT USING (%s)', members);
  EXECUTE format('CREATE POLICY member ON staff_tasks USING (%s)', members);
END $$;
