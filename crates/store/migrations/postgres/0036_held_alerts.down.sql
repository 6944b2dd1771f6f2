-- Loses which silences were partial or of one key, how alerts ended, and which playbook runs wait for a
-- person: those are forgotten.
DROP INDEX runs_by_playbook;
DELETE FROM playbook_runs WHERE needs_approval AND started_at IS NULL;
ALTER TABLE playbook_runs DROP COLUMN needs_approval;
DROP INDEX held_alerts_by_status;
ALTER TABLE client_momentum_alerts DROP COLUMN ending;
DROP TABLE key_silences;
DROP TABLE client_keys;
DROP TABLE key_activity;
ALTER TABLE data_silences DROP COLUMN usual_clients;
ALTER TABLE data_silences DROP COLUMN clients;
