-- Loses transactional emails that were not sent yet.
DROP TABLE transactional_emails;
CREATE INDEX emails_by_token ON client_success_emails (token);
