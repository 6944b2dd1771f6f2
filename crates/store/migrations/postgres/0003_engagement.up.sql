CREATE TABLE client_engagement_events (
  organization_id UUID NOT NULL,
  -- UTC day of occurred_at. Leading with it keeps what a batch writes in one region of the tree;
  -- a key that starts with the client or a random id stores five times fewer events a second.
  day DATE NOT NULL,
  -- No foreign key: it would cost a look-up an event. Clients are resolved in the same transaction,
  -- and deleting one deletes its events.
  client_id UUID NOT NULL,
  message_id TEXT COLLATE "C" NOT NULL,
  -- The client's own timestamp, before correction; occurred_at when it sent none. Part of what makes
  -- a message the same as another one.
  client_timestamp TIMESTAMPTZ NOT NULL,
  event_type TEXT NOT NULL,
  name TEXT NOT NULL,
  occurred_at TIMESTAMPTZ NOT NULL,
  received_at TIMESTAMPTZ NOT NULL,
  session_id TEXT,
  page_path TEXT,
  duration_seconds BIGINT,
  -- NULL when the sender told nothing more.
  data JSONB,
  PRIMARY KEY (organization_id, day, client_id, message_id, client_timestamp)
);

CREATE TABLE event_moves (
  -- Events that clock correction filed under another UTC day than their own timestamp's: the same
  -- message corrected by some other amount must still be known as a duplicate.
  organization_id UUID NOT NULL,
  client_day DATE NOT NULL,
  client_id UUID NOT NULL,
  message_id TEXT COLLATE "C" NOT NULL,
  client_timestamp TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, client_day, client_id, message_id, client_timestamp)
);

CREATE TABLE daily_activity (
  organization_id UUID NOT NULL,
  -- Calendar day in the organization's time zone.
  day DATE NOT NULL,
  client_id UUID NOT NULL,
  event_type TEXT NOT NULL,
  event_count BIGINT NOT NULL,
  last_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, day, client_id, event_type)
);

CREATE TABLE client_activity_totals (
  -- What daily_activity says up to organizations.folded_until, so that no figure needs to read it.
  organization_id UUID NOT NULL,
  client_id UUID NOT NULL,
  content_generated BIGINT NOT NULL,
  visuals_created BIGINT NOT NULL,
  last_at TIMESTAMPTZ NOT NULL,
  -- The latest active days, as days since 1970-01-01.
  active_days JSONB NOT NULL,
  PRIMARY KEY (organization_id, client_id)
);
