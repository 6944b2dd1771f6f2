-- Loses when keys expire, which wrong passwords were tried and which clients were signed out.
DROP TABLE client_lockouts;
DROP TABLE sign_in_failures;
ALTER TABLE api_keys DROP COLUMN expires_at;
