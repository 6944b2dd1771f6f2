-- Loses anonymous ids, unconfirmed addresses, and which events, ratings and keys were whose.
DROP TABLE anonymous_ids;
ALTER TABLE clients DROP COLUMN unconfirmed_email;
ALTER TABLE client_feedback DROP COLUMN self_told;
ALTER TABLE client_engagement_events DROP COLUMN self_told;
ALTER TABLE organizations DROP COLUMN count_self_told;
ALTER TABLE api_keys DROP COLUMN source;
