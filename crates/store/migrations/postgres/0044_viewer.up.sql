-- A role that sees what staff see and changes nothing of the organization.
ALTER TABLE members DROP CONSTRAINT members_role_check;
ALTER TABLE members ADD CONSTRAINT members_role_check CHECK (role IN ('owner', 'admin', 'staff', 'viewer'));

-- What no policy allows is refused, so a viewer's are policies to read and no others. Not the keys of erased
-- ids: only who deletes and creates clients needs them.
DO $$
DECLARE
  organization CONSTANT text := 'organization_id = NULLIF((SELECT current_setting(''mainstay.organization_id'', true)), '''')::uuid';
  is_viewer CONSTANT text := '(SELECT current_setting(''mainstay.role'', true)) = ''viewer''';
  tenant_table text;
BEGIN
  EXECUTE format('CREATE POLICY viewer_read ON organizations FOR SELECT USING (%s AND %s)', is_viewer, replace(organization, 'organization_id =', 'id ='));
  FOREACH tenant_table IN ARRAY ARRAY[
    'members', 'event_names', 'score_models', 'clients', 'onboarding_tasks', 'onboarding_task_changes',
    'launch_kits', 'client_feedback', 'client_engagement_events', 'event_moves', 'untimed_messages',
    'daily_activity', 'activity_parts', 'pending_activity', 'client_activity_totals',
    'client_success_scores', 'score_days', 'stale_scores', 'client_insights', 'client_momentum_alerts',
    'alert_actions', 'client_success_emails', 'allowed_sites', 'portfolio_changes', 'refused_events',
    'client_notes', 'client_aliases', 'related_profiles', 'memberships', 'person_events',
    'waiting_events', 'anonymous_ids', 'client_merges', 'data_silences', 'key_silences',
    'job_schedules', 'job_runs', 'email_settings', 'email_subscriptions', 'email_consents',
    'email_suppressions', 'email_events', 'alert_news', 'webhook_messages', 'webhook_message_alerts',
    'webhook_attempts', 'notification_settings', 'playbooks', 'playbook_runs', 'staff_tasks',
    'erased_clients'
  ] LOOP
    EXECUTE format('CREATE POLICY viewer_read ON %I FOR SELECT USING (%s AND %s)', tenant_table, is_viewer, organization);
  END LOOP;
END $$;
