-- Where staff are told of alerts, besides the pages here.
CREATE TABLE webhook_endpoints (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  id BLOB NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('webhook', 'slack')),
  name TEXT NOT NULL,
  url TEXT NOT NULL,
  -- What messages are signed with. Not a hash: signing takes the secret itself.
  secret TEXT NOT NULL,
  -- The secret before it, which counts until an instant.
  previous_secret TEXT,
  previous_until INTEGER,
  -- Which notices go there.
  route TEXT NOT NULL,
  ignores_quiet_hours INTEGER NOT NULL,
  -- Why nothing is sent there; NULL while something is.
  disabled_reason TEXT,
  disabled_at INTEGER,
  -- Since when every attempt has failed.
  failing_since INTEGER,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, id)
) STRICT;

-- Changes of alerts that are not turned into messages yet: written with the change, and turned all
-- together when the health check that made them is done.
CREATE TABLE alert_news (
  organization_id BLOB NOT NULL,
  id BLOB NOT NULL,
  alert_id BLOB NOT NULL,
  change TEXT NOT NULL CHECK (change IN ('opened', 'worsened', 'resolved')),
  -- As it was at that moment.
  alert_type TEXT NOT NULL,
  severity TEXT NOT NULL,
  message TEXT NOT NULL,
  -- Whether it is told to nobody while the data are silent.
  held INTEGER NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, id),
  FOREIGN KEY (organization_id, alert_id) REFERENCES client_momentum_alerts (organization_id, id) ON DELETE CASCADE
) STRICT;

-- The outbox: one row for each message and endpoint. It keeps what is said, not the bytes.
CREATE TABLE webhook_messages (
  organization_id BLOB NOT NULL,
  id BLOB NOT NULL,
  endpoint_id BLOB NOT NULL,
  notice_type TEXT NOT NULL,
  -- The external id of the one client that it is about, to go with that client.
  about_client TEXT,
  notice TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('queued', 'delivered', 'failed')),
  -- Why it is not delivered, or not yet.
  reason TEXT,
  -- Whether somebody waits for it: quiet hours do not hold it.
  by_hand INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  -- Not before this.
  due_at INTEGER NOT NULL,
  -- Who sends it, until when nobody else does, and which claim that is.
  lease_until INTEGER,
  fence INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  ended_at INTEGER,
  PRIMARY KEY (organization_id, id),
  FOREIGN KEY (organization_id, endpoint_id) REFERENCES webhook_endpoints (organization_id, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX webhook_messages_due ON webhook_messages (organization_id, endpoint_id, due_at) WHERE state = 'queued';
CREATE INDEX webhook_messages_by_endpoint ON webhook_messages (organization_id, endpoint_id, id);

-- Which alerts a message tells of.
CREATE TABLE webhook_message_alerts (
  organization_id BLOB NOT NULL,
  alert_id BLOB NOT NULL,
  message_id BLOB NOT NULL,
  PRIMARY KEY (organization_id, alert_id, message_id),
  FOREIGN KEY (organization_id, alert_id) REFERENCES client_momentum_alerts (organization_id, id) ON DELETE CASCADE,
  FOREIGN KEY (organization_id, message_id) REFERENCES webhook_messages (organization_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX alerts_of_webhook_message ON webhook_message_alerts (organization_id, message_id);

-- Each time that a message was sent, with what came of it.
CREATE TABLE webhook_attempts (
  organization_id BLOB NOT NULL,
  message_id BLOB NOT NULL,
  id BLOB NOT NULL,
  at INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL,
  -- The status of the answer; NULL when there was none.
  status INTEGER,
  -- The beginning of the answer.
  response TEXT NOT NULL,
  -- Why it did not arrive; NULL when it did.
  error TEXT,
  PRIMARY KEY (organization_id, message_id, id),
  FOREIGN KEY (organization_id, message_id) REFERENCES webhook_messages (organization_id, id) ON DELETE CASCADE
) STRICT;

-- What an organization decides about telling its staff.
CREATE TABLE notification_settings (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  settings TEXT NOT NULL,
  changed_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id)
) STRICT;

-- A day's changes, for those who want them told once a day.
CREATE INDEX alert_actions_by_time ON alert_actions (organization_id, at);

ALTER TABLE members ADD COLUMN daily_digest INTEGER NOT NULL DEFAULT 0 CHECK (daily_digest IN (0, 1));

-- Mails to staff: an outbox as that of the mails to clients.
CREATE TABLE staff_emails (
  organization_id BLOB NOT NULL,
  id BLOB NOT NULL,
  member_id BLOB NOT NULL,
  -- The local day that it speaks of; at most one mail a member and day.
  day INTEGER NOT NULL,
  -- Changes until this instant are told by it, and by the next one from there on.
  told_until INTEGER NOT NULL,
  subject TEXT NOT NULL,
  content TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('queued', 'sending', 'sent', 'failed', 'unknown', 'suppressed')),
  reason TEXT,
  attempts INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  sending_since INTEGER,
  created_at INTEGER NOT NULL,
  sent_at INTEGER,
  PRIMARY KEY (organization_id, id),
  UNIQUE (organization_id, member_id, day),
  FOREIGN KEY (organization_id, member_id) REFERENCES members (organization_id, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX staff_emails_to_send ON staff_emails (organization_id, due_at) WHERE state IN ('queued', 'sending');
