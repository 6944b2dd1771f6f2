DELETE FROM transactional_emails WHERE kind = 'sign_in_warning';
ALTER TABLE transactional_emails ADD COLUMN kind_before TEXT NOT NULL DEFAULT 'owner_notice' CHECK (kind_before IN ('password_reset', 'sign_in_link', 'owner_notice', 'test'));
UPDATE transactional_emails SET kind_before = kind;
ALTER TABLE transactional_emails DROP COLUMN kind;
ALTER TABLE transactional_emails RENAME COLUMN kind_before TO kind;

ALTER TABLE sign_in_failures DROP COLUMN places;

ALTER TABLE sessions DROP COLUMN confirmed_at;
