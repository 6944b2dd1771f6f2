-- Events keyed by UTC hour instead of UTC day. Batches come in the order of time: one that is spread
-- over a day's clients rewrites every page of the day, one that is spread over an hour's a small part
-- of them.
CREATE TABLE untimed_messages (
  -- Messages that came without a timestamp of their own, by the UTC day they were received on: for a
  -- week they are known by their id.
  organization_id BLOB NOT NULL,
  day INTEGER NOT NULL,
  client_id BLOB NOT NULL,
  message_id TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, day, client_id, message_id)
) STRICT, WITHOUT ROWID;

-- Which of the stored ones came without is not known: those that happened when they were received
-- may have.
INSERT OR IGNORE INTO untimed_messages (organization_id, day, client_id, message_id, received_at)
SELECT organization_id, day, client_id, message_id, received_at FROM client_engagement_events
WHERE client_timestamp = occurred_at AND occurred_at = received_at
AND day >= (SELECT MAX(day) - 9 FROM client_engagement_events);

ALTER TABLE client_engagement_events RENAME TO events_by_day;

CREATE TABLE client_engagement_events (
  organization_id BLOB NOT NULL,
  -- UTC hour of occurred_at, in hours since 1970. Leading with it keeps what a batch writes in one
  -- region of the tree; a key that starts with the client or a random id stores five times fewer
  -- events a second.
  hour INTEGER NOT NULL,
  -- No foreign key: it would cost a look-up an event. Clients are resolved in the same transaction,
  -- and deleting one deletes its events.
  client_id BLOB NOT NULL,
  message_id TEXT NOT NULL,
  -- The client's own timestamp, before correction; occurred_at when it sent none. Part of what makes
  -- a message the same as another one.
  client_timestamp INTEGER NOT NULL,
  event_type TEXT NOT NULL,
  name TEXT NOT NULL,
  occurred_at INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  session_id TEXT,
  page_path TEXT,
  duration_seconds INTEGER,
  -- NULL when the sender told nothing more.
  data TEXT,
  PRIMARY KEY (organization_id, hour, client_id, message_id, client_timestamp)
) STRICT, WITHOUT ROWID;

-- No event is older than 2000, so dividing rounds down.
INSERT INTO client_engagement_events (organization_id, hour, client_id, message_id,
  client_timestamp, event_type, name, occurred_at, received_at, session_id, page_path,
  duration_seconds, data)
SELECT organization_id, occurred_at / 3600000000, client_id, message_id, client_timestamp,
  event_type, name, occurred_at, received_at, session_id, page_path, duration_seconds, data
FROM events_by_day;

DROP TABLE events_by_day;
DROP TABLE event_moves;

CREATE TABLE event_moves (
  -- Events that clock correction filed under another UTC hour than their own timestamp's: the same
  -- message corrected by some other amount must still be known as a duplicate.
  organization_id BLOB NOT NULL,
  client_hour INTEGER NOT NULL,
  client_id BLOB NOT NULL,
  message_id TEXT NOT NULL,
  client_timestamp INTEGER NOT NULL,
  PRIMARY KEY (organization_id, client_hour, client_id, message_id, client_timestamp)
) STRICT, WITHOUT ROWID;

-- A client's clock may stand before 1970, where dividing would round up.
INSERT INTO event_moves (organization_id, client_hour, client_id, message_id, client_timestamp)
SELECT organization_id, client_hour, client_id, message_id, client_timestamp FROM (
  SELECT organization_id, hour, client_id, message_id, client_timestamp,
    (client_timestamp - ((client_timestamp % 3600000000) + 3600000000) % 3600000000) / 3600000000
    AS client_hour
  FROM client_engagement_events)
WHERE client_hour <> hour;
