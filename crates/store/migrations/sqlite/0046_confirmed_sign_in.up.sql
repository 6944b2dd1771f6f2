-- When the member last confirmed by its password that it is the one at the browser. NULL until it does so
-- again after signing in.
ALTER TABLE sessions ADD COLUMN confirmed_at INTEGER;

-- Where the wrong passwords came from: the latest addresses, apart by spaces.
ALTER TABLE sign_in_failures ADD COLUMN places TEXT NOT NULL DEFAULT '';

-- A member is warned of them. SQLite cannot change a CHECK, so the column is made anew.
ALTER TABLE transactional_emails ADD COLUMN kind_or_warning TEXT NOT NULL DEFAULT 'owner_notice' CHECK (kind_or_warning IN ('password_reset', 'sign_in_link', 'owner_notice', 'test', 'sign_in_warning'));
UPDATE transactional_emails SET kind_or_warning = kind;
ALTER TABLE transactional_emails DROP COLUMN kind;
ALTER TABLE transactional_emails RENAME COLUMN kind_or_warning TO kind;
