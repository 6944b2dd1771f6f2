-- The mails become an outbox: each row is written with what caused it, and a sender takes it from there.
-- SQLite cannot change a CHECK, so the table is made anew.
ALTER TABLE client_success_emails RENAME TO earlier_emails;
CREATE TABLE client_success_emails (
  organization_id BLOB NOT NULL,
  id BLOB NOT NULL,
  client_id BLOB NOT NULL,
  email_type TEXT NOT NULL CHECK (email_type IN ('weekly_insights', 'milestone_celebration', 'momentum_nudge', 'achievement_badge', 'subscription_request')),
  -- Last local day of the period; at most one mail of a type a client and period.
  period INTEGER NOT NULL,
  subject TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  sent_at INTEGER,
  opened_at INTEGER,
  clicked_at INTEGER,
  state TEXT NOT NULL CHECK (state IN ('queued', 'sending', 'sent', 'failed', 'unknown', 'suppressed')),
  -- Why it is not sent, or not yet.
  reason TEXT,
  address TEXT NOT NULL,
  -- Names the mail in its links; random.
  token BLOB NOT NULL,
  -- What it says, from which its text and HTML are made.
  content TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  -- Not before this.
  due_at INTEGER NOT NULL,
  sending_since INTEGER,
  PRIMARY KEY (organization_id, id),
  UNIQUE (organization_id, client_id, email_type, period),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
) STRICT;
INSERT INTO client_success_emails
  SELECT organization_id, id, client_id, email_type, period, subject, created_at, sent_at, opened_at, clicked_at, CASE WHEN sent_at IS NULL THEN 'suppressed' ELSE 'sent' END, NULL, '', x'', '{}', 0, 0, NULL
  FROM earlier_emails;
DROP TABLE earlier_emails;
CREATE INDEX emails_by_token ON client_success_emails (token);
CREATE INDEX emails_to_send ON client_success_emails (organization_id, due_at) WHERE state IN ('queued', 'sending');

-- What an organization decides about its mails.
CREATE TABLE email_settings (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  settings TEXT NOT NULL,
  changed_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id)
) STRICT;

-- Who asked for mails, or was asked whether it wants them, or does not want them any more.
CREATE TABLE email_subscriptions (
  organization_id BLOB NOT NULL,
  client_id BLOB NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'subscribed', 'unsubscribed')),
  address TEXT NOT NULL,
  source TEXT NOT NULL,
  changed_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, client_id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
) STRICT;

-- Each change of the above, for good: consent has to be shown with its time and source.
CREATE TABLE email_consents (
  organization_id BLOB NOT NULL,
  client_id BLOB NOT NULL,
  id BLOB NOT NULL,
  state TEXT NOT NULL,
  address TEXT NOT NULL,
  source TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, client_id, id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
) STRICT;

-- Addresses that a mail server refused for good.
CREATE TABLE email_suppressions (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  address TEXT NOT NULL,
  reason TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, address)
) STRICT;

-- Opens and clicks. They enter no figure.
CREATE TABLE email_events (
  organization_id BLOB NOT NULL,
  email_id BLOB NOT NULL,
  id BLOB NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('open', 'click')),
  link INTEGER,
  at INTEGER NOT NULL,
  -- Whether a program rather than a person seems to have done it.
  suspected INTEGER NOT NULL,
  PRIMARY KEY (organization_id, email_id, id),
  FOREIGN KEY (organization_id, email_id) REFERENCES client_success_emails (organization_id, id) ON DELETE CASCADE
) STRICT;
