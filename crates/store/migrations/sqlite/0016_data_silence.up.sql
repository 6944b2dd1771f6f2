-- When no client at all sends events, the events are missing rather than the clients: one notice, and
-- the alerts that such a silence opens are held until events come again.
CREATE TABLE data_silences (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  -- The last event before it.
  since INTEGER NOT NULL,
  noticed_at INTEGER NOT NULL,
  ended_at INTEGER,
  PRIMARY KEY (organization_id, since)
) STRICT, WITHOUT ROWID;

-- At most one at a time, whatever runs at the same time.
CREATE UNIQUE INDEX one_open_data_silence ON data_silences (organization_id) WHERE ended_at IS NULL;

-- While set, the alert is open and told to nobody.
ALTER TABLE client_momentum_alerts ADD COLUMN held_at INTEGER;
CREATE INDEX held_alerts ON client_momentum_alerts (organization_id, id) WHERE held_at IS NOT NULL;
