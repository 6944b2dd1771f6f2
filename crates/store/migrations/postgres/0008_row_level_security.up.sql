-- What the server checks first, the database checks again: every tenant table has row-level
-- security, forced, so that not even the tables' owner reads past it. Policies see settings that are
-- local to a transaction:
--   mainstay.role             system | service | owner | admin | staff | client
--   mainstay.organization_id  the tenant; unset for system
--   mainstay.client_id        the client, for role client
-- A setting that is missing is NULL and matches nothing.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'mainstay_app') THEN
    CREATE ROLE mainstay_app NOLOGIN;
  END IF;
EXCEPTION
  -- Roles belong to the cluster: another database of it may be migrating at the same moment.
  WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

DO $$
BEGIN
  -- Since PostgreSQL 16 a member need not be allowed to SET ROLE, and whoever creates a role is none
  -- who is.
  IF NOT pg_has_role(current_user, 'mainstay_app', CASE
    WHEN current_setting('server_version_num')::int < 160000 THEN 'MEMBER' ELSE 'SET' END)
  THEN
    EXECUTE format('GRANT mainstay_app TO %I', current_user);
  END IF;
EXCEPTION
  -- As above.
  WHEN unique_violation THEN NULL;
END $$;

DO $$
BEGIN
  EXECUTE format('GRANT USAGE ON SCHEMA %I TO mainstay_app', current_schema());
END $$;

DO $$
DECLARE
  organization CONSTANT text := 'organization_id = NULLIF(current_setting(''mainstay.organization_id'', true), '''')::uuid';
  role CONSTANT text := 'current_setting(''mainstay.role'', true)';
  own CONSTANT text := 'client_id = NULLIF(current_setting(''mainstay.client_id'', true), '''')::uuid';
  tenant_table text;
BEGIN
  FOREACH tenant_table IN ARRAY ARRAY[
    'organizations', 'organization_secrets', 'members', 'api_keys', 'event_names', 'score_models',
    'clients', 'onboarding_tasks', 'onboarding_task_changes', 'launch_kits', 'client_feedback',
    'client_engagement_events', 'event_moves', 'daily_activity', 'client_activity_totals',
    'client_success_scores', 'score_days', 'stale_scores', 'client_insights',
    'client_momentum_alerts', 'alert_actions', 'client_success_emails'
  ] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO mainstay_app', tenant_table);
    EXECUTE format('CREATE POLICY system ON %I USING (%s = ''system'')', tenant_table, role);
    IF tenant_table <> 'organizations' THEN
      EXECUTE format('CREATE POLICY service ON %I USING (%s = ''service'' AND %s)', tenant_table, role, organization);
    END IF;
  END LOOP;

  -- The organization itself: everybody of it reads it, owner and admin change it.
  EXECUTE format('CREATE POLICY read ON organizations FOR SELECT USING (%s IN (''service'', ''owner'', ''admin'', ''staff'', ''client'') AND %s)', role, replace(organization, 'organization_id =', 'id ='));
  EXECUTE format('CREATE POLICY change ON organizations FOR UPDATE USING (%s IN (''service'', ''owner'', ''admin'') AND %s)', role, replace(organization, 'organization_id =', 'id ='));

  -- Settings, keys and members: owner and admin.
  FOREACH tenant_table IN ARRAY ARRAY['organization_secrets', 'members', 'api_keys', 'event_names', 'score_models'] LOOP
    EXECUTE format('CREATE POLICY administer ON %I USING (%s IN (''owner'', ''admin'') AND %s)', tenant_table, role, organization);
  END LOOP;
  FOREACH tenant_table IN ARRAY ARRAY['members', 'event_names', 'score_models'] LOOP
    EXECUTE format('CREATE POLICY staff_read ON %I FOR SELECT USING (%s = ''staff'' AND %s)', tenant_table, role, organization);
  END LOOP;

  -- What clients are and do: members read all of it.
  FOREACH tenant_table IN ARRAY ARRAY[
    'clients', 'onboarding_tasks', 'onboarding_task_changes', 'launch_kits', 'client_feedback',
    'client_engagement_events', 'event_moves', 'daily_activity', 'client_activity_totals',
    'client_success_scores', 'score_days', 'stale_scores', 'client_insights',
    'client_momentum_alerts', 'alert_actions', 'client_success_emails'
  ] LOOP
    EXECUTE format('CREATE POLICY member_read ON %I FOR SELECT USING (%s IN (''owner'', ''admin'', ''staff'') AND %s)', tenant_table, role, organization);
  END LOOP;
  -- Members keep the clients' records, which can make scores stale, and act on insights and alerts.
  FOREACH tenant_table IN ARRAY ARRAY[
    'clients', 'onboarding_tasks', 'onboarding_task_changes', 'launch_kits', 'client_feedback',
    'stale_scores', 'client_insights', 'client_momentum_alerts', 'alert_actions'
  ] LOOP
    EXECUTE format('CREATE POLICY member_insert ON %I FOR INSERT WITH CHECK (%s IN (''owner'', ''admin'', ''staff'') AND %s)', tenant_table, role, organization);
    EXECUTE format('CREATE POLICY member_update ON %I FOR UPDATE USING (%s IN (''owner'', ''admin'', ''staff'') AND %s)', tenant_table, role, organization);
  END LOOP;

  -- A client reads its own rows, and no alert.
  FOREACH tenant_table IN ARRAY ARRAY[
    'onboarding_tasks', 'onboarding_task_changes', 'launch_kits', 'client_feedback',
    'client_engagement_events', 'daily_activity', 'client_activity_totals',
    'client_success_scores', 'stale_scores', 'client_insights', 'client_success_emails'
  ] LOOP
    EXECUTE format('CREATE POLICY client_read ON %I FOR SELECT USING (%s = ''client'' AND %s AND %s)', tenant_table, role, organization, own);
  END LOOP;
  EXECUTE format('CREATE POLICY client_read ON clients FOR SELECT USING (%s = ''client'' AND %s AND %s)', role, organization, replace(own, 'client_id =', 'id ='));
  FOREACH tenant_table IN ARRAY ARRAY['score_models', 'score_days'] LOOP
    EXECUTE format('CREATE POLICY client_read ON %I FOR SELECT USING (%s = ''client'' AND %s)', tenant_table, role, organization);
  END LOOP;
  -- It reads and dismisses its insights; its events and feedback are stored by the service.
  EXECUTE format('CREATE POLICY client_update ON client_insights FOR UPDATE USING (%s = ''client'' AND %s AND %s)', role, organization, own);
END $$;
