DROP TABLE email_events;
DROP TABLE email_suppressions;
DROP TABLE email_consents;
DROP TABLE email_subscriptions;
DROP TABLE email_settings;
DELETE FROM client_success_emails WHERE email_type = 'subscription_request';
DROP INDEX emails_by_token;
DROP INDEX emails_to_send;
ALTER TABLE client_success_emails
  DROP COLUMN sending_since,
  DROP COLUMN due_at,
  DROP COLUMN attempts,
  DROP COLUMN content,
  DROP COLUMN token,
  DROP COLUMN address,
  DROP COLUMN reason,
  DROP COLUMN state,
  DROP CONSTRAINT client_success_emails_email_type_check,
  ADD CONSTRAINT client_success_emails_email_type_check CHECK (email_type IN ('weekly_insights', 'milestone_celebration', 'momentum_nudge', 'achievement_badge'));
