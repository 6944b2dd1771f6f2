-- SQLite has no row-level security: the server alone checks roles.
SELECT 1;
