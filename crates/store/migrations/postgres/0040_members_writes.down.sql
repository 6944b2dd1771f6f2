DO $$
DECLARE
  tenant_table text;
BEGIN
  FOREACH tenant_table IN ARRAY ARRAY[
    'email_settings', 'email_suppressions', 'notification_settings', 'webhook_messages',
    'webhook_message_alerts', 'webhook_attempts', 'job_schedules', 'job_runs'
  ] LOOP
    EXECUTE format('DROP POLICY administer ON %I', tenant_table);
  END LOOP;
END $$;
