-- Loses what it takes to undo merges, and those that wait.
DROP TABLE client_merge_rows;
DROP TABLE client_merge_events;
DROP TABLE client_merges;
