-- Where staff are told of alerts, besides the pages here.
CREATE TABLE webhook_endpoints (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  id UUID NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('webhook', 'slack')),
  name TEXT NOT NULL,
  url TEXT NOT NULL,
  -- What messages are signed with. Not a hash: signing takes the secret itself.
  secret TEXT NOT NULL,
  -- The secret before it, which counts until an instant.
  previous_secret TEXT,
  previous_until TIMESTAMPTZ,
  -- Which notices go there.
  route JSONB NOT NULL,
  ignores_quiet_hours BOOLEAN NOT NULL,
  -- Why nothing is sent there; NULL while something is.
  disabled_reason TEXT,
  disabled_at TIMESTAMPTZ,
  -- Since when every attempt has failed.
  failing_since TIMESTAMPTZ,
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, id)
);

-- Changes of alerts that are not turned into messages yet: written with the change, and turned all
-- together when the health check that made them is done.
CREATE TABLE alert_news (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  alert_id UUID NOT NULL,
  change TEXT NOT NULL CHECK (change IN ('opened', 'worsened', 'resolved')),
  -- As it was at that moment.
  alert_type TEXT NOT NULL,
  severity TEXT NOT NULL,
  message TEXT NOT NULL,
  -- Whether it is told to nobody while the data are silent.
  held BOOLEAN NOT NULL,
  at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, id),
  FOREIGN KEY (organization_id, alert_id) REFERENCES client_momentum_alerts (organization_id, id) ON DELETE CASCADE
);

-- The outbox: one row for each message and endpoint. It keeps what is said, not the bytes.
CREATE TABLE webhook_messages (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  endpoint_id UUID NOT NULL,
  notice_type TEXT NOT NULL,
  -- The external id of the one client that it is about, to go with that client.
  about_client TEXT,
  notice JSONB NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('queued', 'delivered', 'failed')),
  -- Why it is not delivered, or not yet.
  reason TEXT,
  -- Whether somebody waits for it: quiet hours do not hold it.
  by_hand BOOLEAN NOT NULL,
  attempts BIGINT NOT NULL,
  -- Not before this.
  due_at TIMESTAMPTZ NOT NULL,
  -- Who sends it, until when nobody else does, and which claim that is.
  lease_until TIMESTAMPTZ,
  fence BIGINT NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  ended_at TIMESTAMPTZ,
  PRIMARY KEY (organization_id, id),
  FOREIGN KEY (organization_id, endpoint_id) REFERENCES webhook_endpoints (organization_id, id) ON DELETE CASCADE
);
CREATE INDEX webhook_messages_due ON webhook_messages (organization_id, endpoint_id, due_at) WHERE state = 'queued';
CREATE INDEX webhook_messages_by_endpoint ON webhook_messages (organization_id, endpoint_id, id);

-- Which alerts a message tells of.
CREATE TABLE webhook_message_alerts (
  organization_id UUID NOT NULL,
  alert_id UUID NOT NULL,
  message_id UUID NOT NULL,
  PRIMARY KEY (organization_id, alert_id, message_id),
  FOREIGN KEY (organization_id, alert_id) REFERENCES client_momentum_alerts (organization_id, id) ON DELETE CASCADE,
  FOREIGN KEY (organization_id, message_id) REFERENCES webhook_messages (organization_id, id) ON DELETE CASCADE
);
CREATE INDEX alerts_of_webhook_message ON webhook_message_alerts (organization_id, message_id);

-- Each time that a message was sent, with what came of it.
CREATE TABLE webhook_attempts (
  organization_id UUID NOT NULL,
  message_id UUID NOT NULL,
  id UUID NOT NULL,
  at TIMESTAMPTZ NOT NULL,
  duration_ms BIGINT NOT NULL,
  -- The status of the answer; NULL when there was none.
  status BIGINT,
  -- The beginning of the answer.
  response TEXT NOT NULL,
  -- Why it did not arrive; NULL when it did.
  error TEXT,
  PRIMARY KEY (organization_id, message_id, id),
  FOREIGN KEY (organization_id, message_id) REFERENCES webhook_messages (organization_id, id) ON DELETE CASCADE
);

-- What an organization decides about telling its staff.
CREATE TABLE notification_settings (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  settings JSONB NOT NULL,
  changed_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id)
);

-- A day's changes, for those who want them told once a day.
CREATE INDEX alert_actions_by_time ON alert_actions (organization_id, at);

ALTER TABLE members ADD COLUMN daily_digest BOOLEAN NOT NULL DEFAULT FALSE;

-- Mails to staff: an outbox as that of the mails to clients.
CREATE TABLE staff_emails (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  member_id UUID NOT NULL,
  -- The local day that it speaks of; at most one mail a member and day.
  day DATE NOT NULL,
  -- Changes until this instant are told by it, and by the next one from there on.
  told_until TIMESTAMPTZ NOT NULL,
  subject TEXT NOT NULL,
  content JSONB NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('queued', 'sending', 'sent', 'failed', 'unknown', 'suppressed')),
  reason TEXT,
  attempts BIGINT NOT NULL,
  due_at TIMESTAMPTZ NOT NULL,
  sending_since TIMESTAMPTZ,
  created_at TIMESTAMPTZ NOT NULL,
  sent_at TIMESTAMPTZ,
  PRIMARY KEY (organization_id, id),
  UNIQUE (organization_id, member_id, day),
  FOREIGN KEY (organization_id, member_id) REFERENCES members (organization_id, id) ON DELETE CASCADE
);
CREATE INDEX staff_emails_to_send ON staff_emails (organization_id, due_at) WHERE state IN ('queued', 'sending');

DO $$
DECLARE
  organization CONSTANT text := 'organization_id = NULLIF(current_setting(''mainstay.organization_id'', true), '''')::uuid';
  role CONSTANT text := 'current_setting(''mainstay.role'', true)';
  tenant_table text;
BEGIN
  FOREACH tenant_table IN ARRAY ARRAY['webhook_endpoints', 'alert_news', 'webhook_messages', 'webhook_message_alerts', 'webhook_attempts', 'notification_settings', 'staff_emails'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO mainstay_app', tenant_table);
    EXECUTE format('CREATE POLICY system ON %I USING (%s = ''system'')', tenant_table, role);
    EXECUTE format('CREATE POLICY service ON %I USING (%s = ''service'' AND %s)', tenant_table, role, organization);
  END LOOP;
  FOREACH tenant_table IN ARRAY ARRAY['alert_news', 'webhook_messages', 'webhook_message_alerts', 'webhook_attempts', 'notification_settings'] LOOP
    EXECUTE format('CREATE POLICY member_read ON %I FOR SELECT USING (%s IN (''owner'', ''admin'', ''staff'') AND %s)', tenant_table, role, organization);
  END LOOP;
  -- A member acts on alerts, which is news.
  EXECUTE format('CREATE POLICY member_insert ON alert_news FOR INSERT WITH CHECK (%s IN (''owner'', ''admin'', ''staff'') AND %s)', role, organization);
  -- It holds secrets.
  EXECUTE format('CREATE POLICY administer ON webhook_endpoints USING (%s IN (''owner'', ''admin'') AND %s)', role, organization);
END $$;
