DROP INDEX alerts_by_opening;
DROP INDEX unrecovered_alerts;
ALTER TABLE client_momentum_alerts DROP COLUMN released_at;
ALTER TABLE client_momentum_alerts DROP COLUMN recovered_at;
ALTER TABLE client_momentum_alerts DROP COLUMN score_before;
ALTER TABLE client_momentum_alerts DROP COLUMN score_then;
DROP TABLE staff_tasks;
DROP TABLE playbook_runs;
DROP TABLE playbooks;
