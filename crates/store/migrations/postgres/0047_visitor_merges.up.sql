-- Whether a write key asked for the merge, which it may while nothing but a visitor's events is known of
-- the id that is given up.
ALTER TABLE client_merges ADD COLUMN of_visitor BOOLEAN NOT NULL DEFAULT FALSE;
