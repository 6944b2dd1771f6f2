-- Events keyed by when they happened instead of by UTC hour and client, so that those that come in
-- small batches as they happen are written side by side. Ordered by client within the hour, a batch of
-- eight hundred rewrote eight hundred pages of a busy hour. A client's events are found by the instants
-- that its daily activity now remembers.
ALTER TABLE client_engagement_events RENAME TO events_by_hour;

CREATE TABLE client_engagement_events (
  organization_id BLOB NOT NULL,
  occurred_at INTEGER NOT NULL,
  -- No foreign key: it would cost a look-up an event. Clients are resolved in the same transaction,
  -- and deleting one deletes its events.
  client_id BLOB NOT NULL,
  message_id TEXT NOT NULL,
  -- The client's own timestamp, before correction; occurred_at when it sent none. Part of what makes
  -- a message the same as another one.
  client_timestamp INTEGER NOT NULL,
  event_type TEXT NOT NULL,
  name TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  session_id TEXT,
  page_path TEXT,
  duration_seconds INTEGER,
  -- NULL when the sender told nothing more.
  data TEXT,
  PRIMARY KEY (organization_id, occurred_at, client_id, message_id, client_timestamp)
) STRICT, WITHOUT ROWID;

INSERT INTO client_engagement_events (organization_id, occurred_at, client_id, message_id,
  client_timestamp, event_type, name, received_at, session_id, page_path, duration_seconds, data)
SELECT organization_id, occurred_at, client_id, message_id, client_timestamp, event_type, name,
  received_at, session_id, page_path, duration_seconds, data
FROM events_by_hour ORDER BY organization_id, occurred_at, client_id, message_id, client_timestamp;

DROP TABLE events_by_hour;
DROP TABLE event_moves;

CREATE TABLE event_moves (
  -- Events whose clock was corrected, by what they said themselves: the same message corrected by some
  -- other amount must still be known as a duplicate.
  organization_id BLOB NOT NULL,
  client_timestamp INTEGER NOT NULL,
  client_id BLOB NOT NULL,
  message_id TEXT NOT NULL,
  PRIMARY KEY (organization_id, client_timestamp, client_id, message_id)
) STRICT, WITHOUT ROWID;

INSERT INTO event_moves (organization_id, client_timestamp, client_id, message_id)
SELECT organization_id, client_timestamp, client_id, message_id FROM client_engagement_events
WHERE client_timestamp <> occurred_at ORDER BY 1, 2, 3, 4;

ALTER TABLE daily_activity RENAME TO activity_without_instants;

CREATE TABLE daily_activity (
  organization_id BLOB NOT NULL,
  -- Calendar day in the organization's time zone.
  day INTEGER NOT NULL,
  -- 0, and on days with more events than are kept together also those in activity_parts.
  part INTEGER NOT NULL,
  client_id BLOB NOT NULL,
  event_type TEXT NOT NULL,
  event_count INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  -- When each of the events happened: ten hexadecimal digits an event, in no order, of the
  -- microseconds since the day before began in UTC (so that no zone makes them negative).
  instants TEXT NOT NULL,
  PRIMARY KEY (organization_id, day, part, client_id, event_type)
) STRICT, WITHOUT ROWID;

-- Of one client and type, the events of a day are those up to the day's last and after the last of the
-- day before: so that nothing here need know a time zone.
CREATE INDEX days_of_clients
  ON activity_without_instants (organization_id, client_id, event_type, last_at, day);
INSERT INTO daily_activity
  (organization_id, day, part, client_id, event_type, event_count, last_at, instants)
SELECT organization_id, day, 0, client_id, event_type, COUNT(*), MAX(occurred_at),
  group_concat(printf('%010x', occurred_at - (day - 1) * 86400000000), '')
FROM (SELECT e.organization_id, e.client_id, e.event_type, e.occurred_at,
  (SELECT a.day FROM activity_without_instants a WHERE a.organization_id = e.organization_id
   AND a.client_id = e.client_id AND a.event_type = e.event_type AND a.last_at >= e.occurred_at
   ORDER BY a.last_at LIMIT 1) AS day
  FROM client_engagement_events e)
WHERE day IS NOT NULL
GROUP BY organization_id, day, client_id, event_type;

DROP TABLE activity_without_instants;

-- What is rolled up from events that came a few at a time, until it is gathered into daily_activity:
-- put in place at once, it would rewrite a page for almost every event.
CREATE TABLE pending_activity (
  organization_id BLOB NOT NULL,
  -- Of all rows of a commit, ascending with time, so that they are written side by side.
  batch BLOB NOT NULL,
  day INTEGER NOT NULL,
  client_id BLOB NOT NULL,
  event_type TEXT NOT NULL,
  event_count INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  instants TEXT NOT NULL,
  PRIMARY KEY (organization_id, batch, day, client_id, event_type)
) STRICT, WITHOUT ROWID;

-- How many events each part of a day has taken: the rows of a part grow with every event, and what is
-- added to is written again.
CREATE TABLE activity_parts (
  organization_id BLOB NOT NULL,
  day INTEGER NOT NULL,
  part INTEGER NOT NULL,
  events INTEGER NOT NULL,
  PRIMARY KEY (organization_id, day, part)
) STRICT, WITHOUT ROWID;
