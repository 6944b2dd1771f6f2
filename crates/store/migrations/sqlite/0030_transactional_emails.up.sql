-- Emails to one person about one thing that it asked for, or has to know: an outbox like that of the emails to
-- clients. A link that lets somebody in is not kept here: it is made when the email is sent.
CREATE TABLE transactional_emails (
  organization_id BLOB NOT NULL,
  id BLOB NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('password_reset', 'sign_in_link', 'owner_notice', 'test')),
  -- Whom it is for: a member or a client.
  member_id BLOB,
  client_id BLOB,
  address TEXT NOT NULL,
  -- At most one email has the same.
  dedup_key TEXT,
  subject TEXT NOT NULL,
  content TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('queued', 'sending', 'sent', 'failed', 'unknown', 'suppressed')),
  reason TEXT,
  attempts INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  -- It is not sent after this.
  expires_at INTEGER NOT NULL,
  sending_since INTEGER,
  created_at INTEGER NOT NULL,
  sent_at INTEGER,
  PRIMARY KEY (organization_id, id),
  UNIQUE (organization_id, dedup_key),
  CHECK ((member_id IS NULL) <> (client_id IS NULL)),
  FOREIGN KEY (organization_id, member_id) REFERENCES members (organization_id, id) ON DELETE CASCADE,
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX transactional_emails_to_send ON transactional_emails (organization_id, due_at) WHERE state IN ('queued', 'sending');
CREATE INDEX transactional_emails_by_client ON transactional_emails (organization_id, client_id) WHERE client_id IS NOT NULL;
CREATE INDEX transactional_emails_by_member ON transactional_emails (organization_id, member_id) WHERE member_id IS NOT NULL;

-- A link names the email itself: nothing is looked up by its token any more.
DROP INDEX emails_by_token;
