-- Removes every viewer, as removing a member does: an older version has no role that changes nothing. To
-- keep them, give them another role first.
DO $$
DECLARE
  tenant_table text;
BEGIN
  FOREACH tenant_table IN ARRAY ARRAY[
    'organizations', 'members', 'event_names', 'score_models', 'clients', 'onboarding_tasks',
    'onboarding_task_changes', 'launch_kits', 'client_feedback', 'client_engagement_events',
    'event_moves', 'untimed_messages', 'daily_activity', 'activity_parts', 'pending_activity',
    'client_activity_totals', 'client_success_scores', 'score_days', 'stale_scores', 'client_insights',
    'client_momentum_alerts', 'alert_actions', 'client_success_emails', 'allowed_sites',
    'portfolio_changes', 'refused_events', 'client_notes', 'client_aliases', 'related_profiles',
    'memberships', 'person_events', 'waiting_events', 'anonymous_ids', 'client_merges',
    'data_silences', 'key_silences', 'job_schedules', 'job_runs', 'email_settings',
    'email_subscriptions', 'email_consents', 'email_suppressions', 'email_events', 'alert_news',
    'webhook_messages', 'webhook_message_alerts', 'webhook_attempts', 'notification_settings',
    'playbooks', 'playbook_runs', 'staff_tasks', 'erased_clients'
  ] LOOP
    EXECUTE format('DROP POLICY viewer_read ON %I', tenant_table);
  END LOOP;
END $$;

-- The owner is bound by row-level security too, and a migration has no role.
ALTER TABLE members NO FORCE ROW LEVEL SECURITY;
ALTER TABLE clients NO FORCE ROW LEVEL SECURITY;
ALTER TABLE staff_tasks NO FORCE ROW LEVEL SECURITY;
UPDATE clients SET owner_member_id = NULL
WHERE EXISTS (SELECT FROM members m WHERE m.organization_id = clients.organization_id
  AND m.id = clients.owner_member_id AND m.role = 'viewer');
UPDATE staff_tasks SET owner_member_id = NULL
WHERE state = 'open' AND EXISTS (SELECT FROM members m WHERE m.organization_id = staff_tasks.organization_id
  AND m.id = staff_tasks.owner_member_id AND m.role = 'viewer');
DELETE FROM members WHERE role = 'viewer';
ALTER TABLE staff_tasks FORCE ROW LEVEL SECURITY;
ALTER TABLE clients FORCE ROW LEVEL SECURITY;
ALTER TABLE members FORCE ROW LEVEL SECURITY;

ALTER TABLE members DROP CONSTRAINT members_role_check;
ALTER TABLE members ADD CONSTRAINT members_role_check CHECK (role IN ('owner', 'admin', 'staff'));
