-- How often a client was deleted: what was kept in memory of the organization's clients before the
-- last time is forgotten.
ALTER TABLE organizations ADD COLUMN client_deletions INTEGER NOT NULL DEFAULT 0;
