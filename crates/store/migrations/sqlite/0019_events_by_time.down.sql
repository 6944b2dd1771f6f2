-- Nothing may be left beside its place.
ALTER TABLE daily_activity RENAME TO activity_in_parts;
CREATE TABLE daily_activity (
  organization_id BLOB NOT NULL,
  day INTEGER NOT NULL,
  client_id BLOB NOT NULL,
  event_type TEXT NOT NULL,
  event_count INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, day, client_id, event_type)
) STRICT, WITHOUT ROWID;
INSERT INTO daily_activity (organization_id, day, client_id, event_type, event_count, last_at)
SELECT organization_id, day, client_id, event_type, SUM(event_count), MAX(last_at) FROM (
  SELECT organization_id, day, client_id, event_type, event_count, last_at FROM activity_in_parts
  UNION ALL
  SELECT organization_id, day, client_id, event_type, event_count, last_at FROM pending_activity)
GROUP BY organization_id, day, client_id, event_type;
DROP TABLE activity_in_parts;
DROP TABLE activity_parts;
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
