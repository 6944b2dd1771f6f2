ALTER TABLE client_merges DROP COLUMN of_visitor;
