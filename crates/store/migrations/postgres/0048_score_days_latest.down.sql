ALTER TABLE score_days DROP COLUMN latest_as_of;
