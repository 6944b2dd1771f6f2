-- SQLite has no row-level security: every query carries organization_id, and the server checks who asks.
SELECT 1;
