-- The owner is bound by the policies, too.
ALTER TABLE transactional_emails NO FORCE ROW LEVEL SECURITY;
DELETE FROM transactional_emails WHERE kind = 'sign_in_warning';
ALTER TABLE transactional_emails FORCE ROW LEVEL SECURITY;
ALTER TABLE transactional_emails DROP CONSTRAINT transactional_emails_kind_check;
ALTER TABLE transactional_emails ADD CONSTRAINT transactional_emails_kind_check CHECK (kind IN ('password_reset', 'sign_in_link', 'owner_notice', 'test'));

ALTER TABLE sign_in_failures DROP COLUMN places;

ALTER TABLE sessions DROP COLUMN confirmed_at;
