-- The role mainstay_app stays: it belongs to the cluster, and other databases may use it.
DO $$
DECLARE
  policy record;
  tenant_table text;
BEGIN
  FOREACH tenant_table IN ARRAY ARRAY[
    'organizations', 'organization_secrets', 'members', 'api_keys', 'event_names', 'score_models',
    'clients', 'onboarding_tasks', 'onboarding_task_changes', 'launch_kits', 'client_feedback',
    'client_engagement_events', 'event_moves', 'daily_activity', 'client_activity_totals',
    'client_success_scores', 'score_days', 'stale_scores', 'client_insights',
    'client_momentum_alerts', 'alert_actions', 'client_success_emails'
  ] LOOP
    FOR policy IN SELECT policyname FROM pg_policies
      WHERE schemaname = current_schema() AND tablename = tenant_table
    LOOP
      EXECUTE format('DROP POLICY %I ON %I', policy.policyname, tenant_table);
    END LOOP;
    EXECUTE format('ALTER TABLE %I NO FORCE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('ALTER TABLE %I DISABLE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('REVOKE ALL ON %I FROM mainstay_app', tenant_table);
  END LOOP;
  EXECUTE format('REVOKE USAGE ON SCHEMA %I FROM mainstay_app', current_schema());
END $$;
