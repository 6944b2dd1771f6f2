DROP TABLE staff_emails;
ALTER TABLE members DROP COLUMN daily_digest;
DROP INDEX alert_actions_by_time;
DROP TABLE notification_settings;
DROP TABLE webhook_attempts;
DROP TABLE webhook_message_alerts;
DROP TABLE webhook_messages;
DROP TABLE alert_news;
DROP TABLE webhook_endpoints;
