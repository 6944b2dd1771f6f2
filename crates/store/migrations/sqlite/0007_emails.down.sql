DROP TABLE client_success_emails;
