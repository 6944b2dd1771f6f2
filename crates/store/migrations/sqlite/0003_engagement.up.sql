CREATE TABLE client_engagement_events (
  organization_id BLOB NOT NULL,
  -- UTC day of occurred_at. Leading with it keeps what a batch writes in one region of the tree;
  -- a key that starts with the client or a random id stores five times fewer events a second.
  day INTEGER NOT NULL,
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
  PRIMARY KEY (organization_id, day, client_id, message_id, client_timestamp)
) STRICT, WITHOUT ROWID;

CREATE TABLE event_moves (
  -- Events that clock correction filed under another UTC day than their own timestamp's: the same
  -- message corrected by some other amount must still be known as a duplicate.
  organization_id BLOB NOT NULL,
  client_day INTEGER NOT NULL,
  client_id BLOB NOT NULL,
  message_id TEXT NOT NULL,
  client_timestamp INTEGER NOT NULL,
  PRIMARY KEY (organization_id, client_day, client_id, message_id, client_timestamp)
) STRICT, WITHOUT ROWID;

CREATE TABLE daily_activity (
  organization_id BLOB NOT NULL,
  -- Calendar day in the organization's time zone.
  day INTEGER NOT NULL,
  client_id BLOB NOT NULL,
  event_type TEXT NOT NULL,
  event_count INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, day, client_id, event_type)
) STRICT, WITHOUT ROWID;

CREATE TABLE client_activity_totals (
  -- What daily_activity says up to organizations.folded_until, so that no figure needs to read it.
  organization_id BLOB NOT NULL,
  client_id BLOB NOT NULL,
  content_generated INTEGER NOT NULL,
  visuals_created INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  -- The latest active days, as days since 1970-01-01.
  active_days TEXT NOT NULL,
  PRIMARY KEY (organization_id, client_id)
) STRICT, WITHOUT ROWID;
