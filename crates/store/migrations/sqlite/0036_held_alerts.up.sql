-- A silence of part of the data: how many clients came when it was noticed, and how many usually do.
-- NULL where no event came at all.
ALTER TABLE data_silences ADD COLUMN clients INTEGER;
ALTER TABLE data_silences ADD COLUMN usual_clients INTEGER;

-- Which hours brought events with which key: what tells that the app behind a key has fallen silent.
-- Kept for some weeks only, and written once a second, not for every event.
CREATE TABLE key_activity (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  key_id BLOB NOT NULL,
  -- Hours since 1970, UTC.
  hour INTEGER NOT NULL,
  events INTEGER NOT NULL,
  PRIMARY KEY (organization_id, key_id, hour)
) STRICT, WITHOUT ROWID;

-- By which key a client's events come: one row a client and key, written once a day at most.
CREATE TABLE client_keys (
  organization_id BLOB NOT NULL,
  client_id BLOB NOT NULL,
  key_id BLOB NOT NULL,
  -- On how many UTC days something came by it, and on which of them last.
  days INTEGER NOT NULL,
  last_day INTEGER NOT NULL,
  PRIMARY KEY (organization_id, client_id, key_id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- When no event comes with a key that had some: the app behind it is silent, not its clients.
CREATE TABLE key_silences (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  key_id BLOB NOT NULL,
  -- The end of the last hour with an event.
  since INTEGER NOT NULL,
  noticed_at INTEGER NOT NULL,
  ended_at INTEGER,
  PRIMARY KEY (organization_id, key_id, since)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX one_open_key_silence ON key_silences (organization_id, key_id) WHERE ended_at IS NULL;

-- How it ended by itself: recovered or faded. NULL while it is open, and when a member ended it.
ALTER TABLE client_momentum_alerts ADD COLUMN ending TEXT CHECK (ending IN ('recovered', 'faded'));
-- How many are held back is asked for with every page of staff.
CREATE INDEX held_alerts_by_status ON client_momentum_alerts (organization_id, status) WHERE held_at IS NOT NULL;

-- Whether it waits for a person, because the playbook would act for so many clients at once; otherwise
-- what has not started waits for data that are missing.
ALTER TABLE playbook_runs ADD COLUMN needs_approval INTEGER NOT NULL DEFAULT 0 CHECK (needs_approval IN (0, 1));
CREATE INDEX runs_by_playbook ON playbook_runs (organization_id, playbook_id, found_at);
