-- Whether a write key asked for the merge, which it may while nothing but a visitor's events is known of
-- the id that is given up.
ALTER TABLE client_merges ADD COLUMN of_visitor INTEGER NOT NULL DEFAULT 0 CHECK (of_visitor IN (0, 1));
