-- Nothing may be left beside its place.
INSERT INTO daily_activity
  (organization_id, day, client_id, event_type, event_count, last_at, instants)
SELECT organization_id, day, client_id, event_type, SUM(event_count), MAX(last_at), ''
FROM pending_activity WHERE true GROUP BY organization_id, day, client_id, event_type
ON CONFLICT (organization_id, day, client_id, event_type) DO UPDATE SET
  event_count = daily_activity.event_count + excluded.event_count,
  last_at = CASE WHEN excluded.last_at > daily_activity.last_at
    THEN excluded.last_at ELSE daily_activity.last_at END;
DROP TABLE pending_activity;

ALTER TABLE client_engagement_events RENAME TO events_by_time;

CREATE TABLE client_engagement_events (
  organization_id BLOB NOT NULL,
  -- UTC hour of occurred_at, in hours since 1970.
  hour INTEGER NOT NULL,
  client_id BLOB NOT NULL,
  message_id TEXT NOT NULL,
  client_timestamp INTEGER NOT NULL,
  event_type TEXT NOT NULL,
  name TEXT NOT NULL,
  occurred_at INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  session_id TEXT,
  page_path TEXT,
  duration_seconds INTEGER,
  data TEXT,
  PRIMARY KEY (organization_id, hour, client_id, message_id, client_timestamp)
) STRICT, WITHOUT ROWID;

INSERT INTO client_engagement_events (organization_id, hour, client_id, message_id,
  client_timestamp, event_type, name, occurred_at, received_at, session_id, page_path,
  duration_seconds, data)
SELECT organization_id, occurred_at / 3600000000, client_id, message_id, client_timestamp,
  event_type, name, occurred_at, received_at, session_id, page_path, duration_seconds, data
FROM events_by_time ORDER BY 1, 2, 3, 4, 5;

DROP TABLE events_by_time;
DROP TABLE event_moves;

CREATE TABLE event_moves (
  organization_id BLOB NOT NULL,
  client_hour INTEGER NOT NULL,
  client_id BLOB NOT NULL,
  message_id TEXT NOT NULL,
  client_timestamp INTEGER NOT NULL,
  PRIMARY KEY (organization_id, client_hour, client_id, message_id, client_timestamp)
) STRICT, WITHOUT ROWID;

INSERT INTO event_moves (organization_id, client_hour, client_id, message_id, client_timestamp)
SELECT organization_id, client_hour, client_id, message_id, client_timestamp FROM (
  SELECT organization_id, hour, client_id, message_id, client_timestamp,
    (client_timestamp - ((client_timestamp % 3600000000) + 3600000000) % 3600000000) / 3600000000
    AS client_hour
  FROM client_engagement_events)
WHERE client_hour <> hour;

ALTER TABLE daily_activity DROP COLUMN instants;
