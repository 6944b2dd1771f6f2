-- The mails become an outbox: each row is written with what caused it, and a sender takes it from there.
ALTER TABLE client_success_emails
  DROP CONSTRAINT client_success_emails_email_type_check,
  ADD CONSTRAINT client_success_emails_email_type_check CHECK (email_type IN ('weekly_insights', 'milestone_celebration', 'momentum_nudge', 'achievement_badge', 'subscription_request')),
  ADD COLUMN state TEXT NOT NULL DEFAULT 'suppressed' CHECK (state IN ('queued', 'sending', 'sent', 'failed', 'unknown', 'suppressed')),
  -- Why it is not sent, or not yet.
  ADD COLUMN reason TEXT,
  ADD COLUMN address TEXT NOT NULL DEFAULT '',
  -- Names the mail in its links; random.
  ADD COLUMN token BYTEA NOT NULL DEFAULT '',
  -- What it says, from which its text and HTML are made.
  ADD COLUMN content JSONB NOT NULL DEFAULT '{}',
  ADD COLUMN attempts BIGINT NOT NULL DEFAULT 0,
  -- Not before this.
  ADD COLUMN due_at TIMESTAMPTZ NOT NULL DEFAULT '1970-01-01',
  ADD COLUMN sending_since TIMESTAMPTZ;
UPDATE client_success_emails SET state = 'sent' WHERE sent_at IS NOT NULL;
ALTER TABLE client_success_emails
  ALTER COLUMN state DROP DEFAULT,
  ALTER COLUMN address DROP DEFAULT,
  ALTER COLUMN token DROP DEFAULT,
  ALTER COLUMN content DROP DEFAULT,
  ALTER COLUMN attempts DROP DEFAULT,
  ALTER COLUMN due_at DROP DEFAULT;
CREATE INDEX emails_by_token ON client_success_emails (token);
CREATE INDEX emails_to_send ON client_success_emails (organization_id, due_at) WHERE state IN ('queued', 'sending');

-- What an organization decides about its mails.
CREATE TABLE email_settings (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  settings JSONB NOT NULL,
  changed_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id)
);

-- Who asked for mails, or was asked whether it wants them, or does not want them any more.
CREATE TABLE email_subscriptions (
  organization_id UUID NOT NULL,
  client_id UUID NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'subscribed', 'unsubscribed')),
  address TEXT NOT NULL,
  source TEXT NOT NULL,
  changed_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, client_id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
);

-- Each change of the above, for good: consent has to be shown with its time and source.
CREATE TABLE email_consents (
  organization_id UUID NOT NULL,
  client_id UUID NOT NULL,
  id UUID NOT NULL,
  state TEXT NOT NULL,
  address TEXT NOT NULL,
  source TEXT NOT NULL,
  at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, client_id, id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
);

-- Addresses that a mail server refused for good.
CREATE TABLE email_suppressions (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  address TEXT NOT NULL,
  reason TEXT NOT NULL,
  at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, address)
);

-- Opens and clicks. They enter no figure.
CREATE TABLE email_events (
  organization_id UUID NOT NULL,
  email_id UUID NOT NULL,
  id UUID NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('open', 'click')),
  link BIGINT,
  at TIMESTAMPTZ NOT NULL,
  -- Whether a program rather than a person seems to have done it.
  suspected BOOLEAN NOT NULL,
  PRIMARY KEY (organization_id, email_id, id),
  FOREIGN KEY (organization_id, email_id) REFERENCES client_success_emails (organization_id, id) ON DELETE CASCADE
);

DO $$
DECLARE
  organization CONSTANT text := 'organization_id = NULLIF(current_setting(''mainstay.organization_id'', true), '''')::uuid';
  role CONSTANT text := 'current_setting(''mainstay.role'', true)';
  own CONSTANT text := 'client_id = NULLIF(current_setting(''mainstay.client_id'', true), '''')::uuid';
  tenant_table text;
BEGIN
  FOREACH tenant_table IN ARRAY ARRAY['email_settings', 'email_subscriptions', 'email_consents', 'email_suppressions', 'email_events'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO mainstay_app', tenant_table);
    EXECUTE format('CREATE POLICY system ON %I USING (%s = ''system'')', tenant_table, role);
    EXECUTE format('CREATE POLICY service ON %I USING (%s = ''service'' AND %s)', tenant_table, role, organization);
    EXECUTE format('CREATE POLICY member_read ON %I FOR SELECT USING (%s IN (''owner'', ''admin'', ''staff'') AND %s)', tenant_table, role, organization);
  END LOOP;
  EXECUTE format('CREATE POLICY client_read ON email_subscriptions FOR SELECT USING (%s = ''client'' AND %s AND %s)', role, organization, own);
END $$;
