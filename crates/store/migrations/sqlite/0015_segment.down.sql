DROP TABLE account_users;
DROP TABLE client_aliases;
ALTER TABLE clients DROP COLUMN group_at;
ALTER TABLE clients DROP COLUMN traits_at;
ALTER TABLE organizations DROP COLUMN clients_are;
