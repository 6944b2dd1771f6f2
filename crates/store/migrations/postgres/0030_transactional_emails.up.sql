-- Emails to one person about one thing that it asked for, or has to know: an outbox like that of the emails to
-- clients. A link that lets somebody in is not kept here: it is made when the email is sent.
CREATE TABLE transactional_emails (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('password_reset', 'sign_in_link', 'owner_notice', 'test')),
  -- Whom it is for: a member or a client.
  member_id UUID,
  client_id UUID,
  address TEXT NOT NULL,
  -- At most one email has the same.
  dedup_key TEXT,
  subject TEXT NOT NULL,
  content JSONB NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('queued', 'sending', 'sent', 'failed', 'unknown', 'suppressed')),
  reason TEXT,
  attempts BIGINT NOT NULL,
  due_at TIMESTAMPTZ NOT NULL,
  -- It is not sent after this.
  expires_at TIMESTAMPTZ NOT NULL,
  sending_since TIMESTAMPTZ,
  created_at TIMESTAMPTZ NOT NULL,
  sent_at TIMESTAMPTZ,
  PRIMARY KEY (organization_id, id),
  UNIQUE (organization_id, dedup_key),
  CHECK ((member_id IS NULL) <> (client_id IS NULL)),
  FOREIGN KEY (organization_id, member_id) REFERENCES members (organization_id, id) ON DELETE CASCADE,
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
);
CREATE INDEX transactional_emails_to_send ON transactional_emails (organization_id, due_at) WHERE state IN ('queued', 'sending');
CREATE INDEX transactional_emails_by_client ON transactional_emails (organization_id, client_id) WHERE client_id IS NOT NULL;
CREATE INDEX transactional_emails_by_member ON transactional_emails (organization_id, member_id) WHERE member_id IS NOT NULL;

ALTER TABLE transactional_emails ENABLE ROW LEVEL SECURITY;
ALTER TABLE transactional_emails FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE, DELETE ON transactional_emails TO mainstay_app;
CREATE POLICY system ON transactional_emails USING (current_setting('mainstay.role', true) = 'system');
CREATE POLICY service ON transactional_emails USING (current_setting('mainstay.role', true) = 'service' AND organization_id = NULLIF(current_setting('mainstay.organization_id', true), '')::uuid);

-- A link names the email itself: nothing is looked up by its token any more.
DROP INDEX emails_by_token;
