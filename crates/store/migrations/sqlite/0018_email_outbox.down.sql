DROP TABLE email_events;
DROP TABLE email_suppressions;
DROP TABLE email_consents;
DROP TABLE email_subscriptions;
DROP TABLE email_settings;
ALTER TABLE client_success_emails RENAME TO later_emails;
CREATE TABLE client_success_emails (
  organization_id BLOB NOT NULL,
  id BLOB NOT NULL,
  client_id BLOB NOT NULL,
  email_type TEXT NOT NULL CHECK (email_type IN ('weekly_insights', 'milestone_celebration', 'momentum_nudge', 'achievement_badge')),
  -- Last local day of the period; at most one mail of a type a client and period.
  period INTEGER NOT NULL,
  subject TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  sent_at INTEGER,
  opened_at INTEGER,
  clicked_at INTEGER,
  PRIMARY KEY (organization_id, id),
  UNIQUE (organization_id, client_id, email_type, period),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
) STRICT;
INSERT INTO client_success_emails
  SELECT organization_id, id, client_id, email_type, period, subject, created_at, sent_at, opened_at, clicked_at FROM later_emails WHERE email_type <> 'subscription_request';
DROP TABLE later_emails;
