ALTER TABLE client_engagement_events RENAME TO events_by_hour;

CREATE TABLE client_engagement_events (
  organization_id BLOB NOT NULL,
  -- UTC day of occurred_at.
  day INTEGER NOT NULL,
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
  PRIMARY KEY (organization_id, day, client_id, message_id, client_timestamp)
) STRICT, WITHOUT ROWID;

INSERT INTO client_engagement_events (organization_id, day, client_id, message_id,
  client_timestamp, event_type, name, occurred_at, received_at, session_id, page_path,
  duration_seconds, data)
SELECT organization_id, hour / 24, client_id, message_id, client_timestamp,
  event_type, name, occurred_at, received_at, session_id, page_path, duration_seconds, data
FROM events_by_hour;

DROP TABLE events_by_hour;
DROP TABLE event_moves;

CREATE TABLE event_moves (
  organization_id BLOB NOT NULL,
  client_day INTEGER NOT NULL,
  client_id BLOB NOT NULL,
  message_id TEXT NOT NULL,
  client_timestamp INTEGER NOT NULL,
  PRIMARY KEY (organization_id, client_day, client_id, message_id, client_timestamp)
) STRICT, WITHOUT ROWID;

INSERT INTO event_moves (organization_id, client_day, client_id, message_id, client_timestamp)
SELECT organization_id, client_day, client_id, message_id, client_timestamp FROM (
  SELECT organization_id, day, client_id, message_id, client_timestamp,
    (client_timestamp - ((client_timestamp % 86400000000) + 86400000000) % 86400000000) / 86400000000
    AS client_day
  FROM client_engagement_events)
WHERE client_day <> day;

DROP TABLE untimed_messages;
