DROP INDEX held_alerts;
ALTER TABLE client_momentum_alerts DROP COLUMN held_at;
DROP TABLE data_silences;
