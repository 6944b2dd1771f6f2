DROP TABLE client_notes;
DROP INDEX clients_by_owner;
ALTER TABLE clients DROP COLUMN owner_member_id;
