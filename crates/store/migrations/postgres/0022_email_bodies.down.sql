ALTER TABLE client_success_emails DROP COLUMN body;
