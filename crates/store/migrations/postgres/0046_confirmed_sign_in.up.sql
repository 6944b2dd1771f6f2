-- When the member last confirmed by its password that it is the one at the browser. NULL until it does so
-- again after signing in.
ALTER TABLE sessions ADD COLUMN confirmed_at TIMESTAMPTZ;

-- Where the wrong passwords came from: the latest addresses, apart by spaces.
ALTER TABLE sign_in_failures ADD COLUMN places TEXT NOT NULL DEFAULT '';

-- A member is warned of them.
ALTER TABLE transactional_emails DROP CONSTRAINT transactional_emails_kind_check;
ALTER TABLE transactional_emails ADD CONSTRAINT transactional_emails_kind_check CHECK (kind IN ('password_reset', 'sign_in_link', 'owner_notice', 'test', 'sign_in_warning'));
