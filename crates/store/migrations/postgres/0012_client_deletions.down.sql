ALTER TABLE organizations DROP COLUMN client_deletions;
