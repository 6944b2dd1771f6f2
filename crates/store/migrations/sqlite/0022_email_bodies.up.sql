-- The mail that is made of what it says, packed, from when it is queued until it is sent. Those that are
-- queued already are made when they are sent.
ALTER TABLE client_success_emails ADD COLUMN body BLOB;
