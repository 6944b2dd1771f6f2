-- What members change, they change as themselves, so that the database checks their role a second time.
-- Until now it let the service alone write these.
DO $$
DECLARE
  organization CONSTANT text := 'organization_id = NULLIF(current_setting(''mainstay.organization_id'', true), '''')::uuid';
  role CONSTANT text := 'current_setting(''mainstay.role'', true)';
  tenant_table text;
BEGIN
  FOREACH tenant_table IN ARRAY ARRAY[
    'email_settings', 'email_suppressions', 'notification_settings', 'webhook_messages',
    'webhook_message_alerts', 'webhook_attempts', 'job_schedules', 'job_runs'
  ] LOOP
    EXECUTE format('CREATE POLICY administer ON %I USING (%s IN (''owner'', ''admin'') AND %s)', tenant_table, role, organization);
  END LOOP;
END $$;
