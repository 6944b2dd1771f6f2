-- The whole schema. What comes after the first release is a migration of its own.
--
-- Names sort by their bytes (COLLATE "C"), as on SQLite, so that pages are the same on both.
--
-- Primary keys, unique constraints and foreign keys of tenant tables begin with organization_id, so that the
-- tables can be sharded by it. The indexes by hash and by email do not: who signs in or sends a key names no
-- organization. They are not unique, since a unique constraint would have to begin with organization_id.
--
-- Names of states, kinds and types are listed in the code alone, which refuses to read one that it does not
-- know. Indexes name the few states that they cover.

-- Organizations, their members and keys.

CREATE TABLE organizations (
  id UUID PRIMARY KEY,
  slug TEXT COLLATE "C" NOT NULL UNIQUE,
  name TEXT NOT NULL,
  time_zone TEXT NOT NULL,
  sample BOOLEAN NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  -- Whether clients are users or accounts.
  clients_are TEXT NOT NULL DEFAULT 'users',
  -- Whether high-value event types count when a browser or the client itself sends them.
  count_self_told BOOLEAN NOT NULL DEFAULT FALSE,
  -- The score model for new scores.
  model_version BIGINT NOT NULL,
  -- Newest as_of of any stored score: an event before it is late and makes stored scores stale.
  scored_until TIMESTAMPTZ,
  -- Last local day folded into client_activity_totals.
  folded_until DATE,
  -- Newest as_of of a health check: episodes only move forward in time.
  health_checked_until TIMESTAMPTZ,
  -- How many clients were deleted: whoever keeps clients in memory forgets them when this changes.
  client_deletions BIGINT NOT NULL DEFAULT 0,
  -- A change of the time zone that is under way: what is rolled up moves to the days of the new zone a few rows
  -- at a time. Since when; NULL when none is.
  zone_change_since TIMESTAMPTZ,
  -- Totals of the old days are deleted, then rows are moved, then days are folded again.
  zone_change_phase TEXT,
  -- Rows up to this one are moved: the day, its part, and the client in it.
  zone_change_day DATE,
  zone_change_part INTEGER,
  zone_change_client UUID,
  -- Up to which day the activity was folded before.
  zone_change_folded DATE
);

CREATE TABLE organization_secrets (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  secret TEXT NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, kind)
);

-- The keys that an organization's secrets are encrypted with: ids of the operator's keys, or 'plain' for what is
-- stored as it is.
CREATE TABLE secret_keys (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  key_id TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (organization_id, key_id)
);

CREATE TABLE members (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  id UUID NOT NULL,
  email TEXT COLLATE "C" NOT NULL,
  name TEXT NOT NULL,
  role TEXT NOT NULL,
  daily_digest BOOLEAN NOT NULL DEFAULT FALSE,
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, id),
  UNIQUE (organization_id, email)
);
CREATE INDEX members_by_email ON members (email);

CREATE TABLE api_keys (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  id UUID NOT NULL,
  kind TEXT NOT NULL,
  -- Where a write key is used; NULL is a server.
  source TEXT,
  member_id UUID,
  -- SHA-256 of the key's text, which is shown once and never stored.
  hash BYTEA NOT NULL,
  -- The first characters, by which people tell keys apart.
  prefix TEXT NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  -- NULL for good; tokens of members always expire.
  expires_at TIMESTAMPTZ,
  revoked_at TIMESTAMPTZ,
  PRIMARY KEY (organization_id, id),
  FOREIGN KEY (organization_id, member_id) REFERENCES members (organization_id, id) ON DELETE CASCADE,
  CHECK ((kind = 'member') = (member_id IS NOT NULL))
);
CREATE INDEX api_keys_by_hash ON api_keys (hash);

-- Apart from members: staff may list members, nobody needs to read the hashes of their passwords.
CREATE TABLE member_passwords (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  member_id UUID NOT NULL,
  -- Argon2id with its parameters and salt, as a PHC string.
  hash TEXT NOT NULL,
  changed_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, member_id),
  FOREIGN KEY (organization_id, member_id) REFERENCES members (organization_id, id) ON DELETE CASCADE
);

CREATE TABLE sessions (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  -- SHA-256 of the cookie's value, which is not stored.
  hash BYTEA NOT NULL,
  member_id UUID NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  used_at TIMESTAMPTZ NOT NULL,
  -- When the member last entered the password again; NULL until it does so after signing in.
  confirmed_at TIMESTAMPTZ,
  PRIMARY KEY (organization_id, hash),
  FOREIGN KEY (organization_id, member_id) REFERENCES members (organization_id, id) ON DELETE CASCADE
);
CREATE INDEX sessions_by_hash ON sessions (hash);
CREATE INDEX sessions_by_member ON sessions (organization_id, member_id);

CREATE TABLE sign_in_links (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  -- SHA-256 of the link's secret, which is shown once and never stored.
  hash BYTEA NOT NULL,
  kind TEXT NOT NULL,
  -- Who may sign in with it; NULL for the link that makes the first owner.
  member_id UUID,
  created_at TIMESTAMPTZ NOT NULL,
  expires_at TIMESTAMPTZ NOT NULL,
  used_at TIMESTAMPTZ,
  PRIMARY KEY (organization_id, hash),
  FOREIGN KEY (organization_id, member_id) REFERENCES members (organization_id, id) ON DELETE CASCADE,
  CHECK ((kind = 'setup') = (member_id IS NULL))
);
CREATE INDEX sign_in_links_by_hash ON sign_in_links (hash);

-- Wrong passwords that were tried for a member, until the member confirms that it knows of them.
CREATE TABLE sign_in_failures (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  member_id UUID NOT NULL,
  failures BIGINT NOT NULL,
  since TIMESTAMPTZ NOT NULL,
  last_at TIMESTAMPTZ NOT NULL,
  -- The latest addresses that they came from, separated by spaces.
  places TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (organization_id, member_id),
  FOREIGN KEY (organization_id, member_id) REFERENCES members (organization_id, id) ON DELETE CASCADE
);

-- Sites of the organization that may show its clients' pages in a frame and use the widgets.
CREATE TABLE allowed_sites (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  origin TEXT COLLATE "C" NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, origin)
);

-- What an organization changed about when its jobs run; the others run as built in.
CREATE TABLE job_schedules (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  job TEXT NOT NULL,
  cron TEXT NOT NULL,
  -- Nothing that was due before is made up for.
  changed_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, job)
);

-- Each period of a job once.
CREATE TABLE job_runs (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  id UUID NOT NULL,
  job TEXT NOT NULL,
  period TIMESTAMPTZ NOT NULL,
  -- Whether the schedule asked for it, rather than a person.
  scheduled BOOLEAN NOT NULL,
  state TEXT NOT NULL,
  attempts BIGINT NOT NULL,
  due_at TIMESTAMPTZ NOT NULL,
  -- Counts up with every claim: whoever holds an older one has lost the run and writes nothing more.
  fence BIGINT NOT NULL,
  holder TEXT,
  lease_until TIMESTAMPTZ,
  step TEXT,
  done BIGINT NOT NULL,
  total BIGINT NOT NULL,
  counts JSONB NOT NULL,
  error TEXT,
  created_at TIMESTAMPTZ NOT NULL,
  started_at TIMESTAMPTZ,
  finished_at TIMESTAMPTZ,
  PRIMARY KEY (organization_id, id),
  UNIQUE (organization_id, job, period)
);
CREATE INDEX open_job_runs ON job_runs (organization_id) WHERE finished_at IS NULL;

-- Clients and what is known of them.

CREATE TABLE clients (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  id UUID NOT NULL,
  external_id TEXT COLLATE "C" NOT NULL,
  name TEXT,
  email TEXT,
  -- The address that a write key sent last; no email goes there before its owner has agreed.
  unconfirmed_email TEXT,
  plan TEXT,
  -- Segment's group: the account that a user belongs to.
  group_id TEXT,
  traits JSONB NOT NULL,
  -- When each value was sent and by which message, also of those that were cleared, so that the order of messages
  -- does not matter. A value without one gives way to whatever is sent next.
  profile_times JSONB NOT NULL DEFAULT '{}',
  -- The member who looks after it. No foreign key: a key of two columns cannot set one of them to NULL before
  -- PostgreSQL 15, so removing a member does it.
  owner_member_id UUID,
  -- When it was first heard of, other than by an event.
  told_at TIMESTAMPTZ,
    -- Whether anything but a write key, which may be public, has sent something about it: such a client is never
  -- merged into another one for a write key.
  known BOOLEAN NOT NULL DEFAULT FALSE,
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, id),
  UNIQUE (organization_id, external_id)
);
CREATE INDEX clients_by_owner ON clients (organization_id, owner_member_id) WHERE owner_member_id IS NOT NULL;

CREATE TABLE client_aliases (
  organization_id UUID NOT NULL,
  -- An id that was merged into another client; never the external_id of a client too.
  external_id TEXT COLLATE "C" NOT NULL,
  client_id UUID NOT NULL,
  -- Whether a write key gave it the name. Such a name opens nothing, and ends when anything else sends something
  -- about the id.
  of_visitor BOOLEAN NOT NULL DEFAULT FALSE,
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, external_id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
);
CREATE INDEX client_aliases_by_client ON client_aliases (organization_id, client_id);

CREATE TABLE anonymous_ids (
  organization_id UUID NOT NULL,
  -- An id from before a person was known; names no client by itself, and no event.
  anonymous_id TEXT COLLATE "C" NOT NULL,
  client_id UUID NOT NULL,
  joined_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, anonymous_id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
);
CREATE INDEX anonymous_ids_by_client ON anonymous_ids (organization_id, client_id);

-- Profiles of those who are no clients: people, where clients are accounts, and groups, where clients are users.
CREATE TABLE related_profiles (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  -- The host app's id.
  external_id TEXT COLLATE "C" NOT NULL,
  name TEXT,
  email TEXT,
  plan TEXT,
  traits JSONB NOT NULL,
  profile_times JSONB NOT NULL,
  told_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, kind, external_id)
);

-- Since when a person belongs to a client. Every message of it is kept: which account a person was in at an
-- instant follows from them whatever arrived first.
CREATE TABLE memberships (
  organization_id UUID NOT NULL,
  person_id TEXT COLLATE "C" NOT NULL,
  since TIMESTAMPTZ NOT NULL,
  message_id TEXT COLLATE "C" NOT NULL,
  client_id UUID NOT NULL,
  PRIMARY KEY (organization_id, person_id, since, message_id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
);
CREATE INDEX memberships_by_client ON memberships (organization_id, client_id);

CREATE TABLE client_notes (
  organization_id UUID NOT NULL,
  client_id UUID NOT NULL,
  id UUID NOT NULL,
  -- No foreign key: what a member wrote stays when the member goes.
  member_id UUID NOT NULL,
  text TEXT NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, client_id, id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
);

CREATE TABLE onboarding_tasks (
  organization_id UUID NOT NULL,
  client_id UUID NOT NULL,
  id UUID NOT NULL,
  title TEXT NOT NULL,
  status TEXT NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  updated_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, client_id, id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
);

-- Every status a task had, so that a score of the past can be recomputed as it was.
CREATE TABLE onboarding_task_changes (
  organization_id UUID NOT NULL,
  client_id UUID NOT NULL,
  task_id UUID NOT NULL,
  changed_at TIMESTAMPTZ NOT NULL,
  status TEXT NOT NULL,
  PRIMARY KEY (organization_id, client_id, task_id, changed_at),
  FOREIGN KEY (organization_id, client_id, task_id) REFERENCES onboarding_tasks (organization_id, client_id, id) ON DELETE CASCADE
);

CREATE TABLE launch_kits (
  organization_id UUID NOT NULL,
  client_id UUID NOT NULL,
  viewed_at TIMESTAMPTZ,
  completed_at TIMESTAMPTZ,
  PRIMARY KEY (organization_id, client_id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
);

CREATE TABLE client_feedback (
  organization_id UUID NOT NULL,
  client_id UUID NOT NULL,
  id UUID NOT NULL,
  kind TEXT NOT NULL,
  rating BIGINT NOT NULL,
  -- The rating on a common scale, 0 to 100.
  normalised BIGINT NOT NULL CHECK (normalised BETWEEN 0 AND 100),
  comment TEXT,
  given_at TIMESTAMPTZ NOT NULL,
  -- Sent by a browser or with the client's own token.
  self_told BOOLEAN NOT NULL DEFAULT FALSE,
  PRIMARY KEY (organization_id, client_id, id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
);

-- Clients have no stored sessions: what lets them in is signed. This says which of it ended early, by the host
-- app's id, since a token may be for a client that has not sent an event yet.
CREATE TABLE client_lockouts (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  external_id TEXT COLLATE "C" NOT NULL,
  sessions_from TIMESTAMPTZ NOT NULL,
  tokens_from TIMESTAMPTZ,
  PRIMARY KEY (organization_id, external_id)
);

-- Ids of deleted clients that stay away: events of them are refused. Only a keyed hash of each is kept, so that
-- nothing here names anybody.
CREATE TABLE erased_clients (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  -- HMAC-SHA256 of the id with the organization's key, in hexadecimal digits.
  id_hash TEXT COLLATE "C" NOT NULL,
  erased_at TIMESTAMPTZ NOT NULL,
  -- Until when it stays away; NULL for good.
  keep_out_until TIMESTAMPTZ,
  -- How much of it was refused since, and when the latest.
  refused BIGINT NOT NULL,
  refused_at TIMESTAMPTZ,
  PRIMARY KEY (organization_id, id_hash)
);

CREATE TABLE erasure_keys (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  -- The key of the hashes. A secret, and encrypted as such.
  secret TEXT NOT NULL,
  PRIMARY KEY (organization_id)
);

-- Merges of two clients: a queue of what is yet to be done, and what it takes to undo what was done.
CREATE TABLE client_merges (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  id UUID NOT NULL,
  -- Counts up: merges are done in the order of the requests.
  number BIGINT NOT NULL,
  -- The id that goes and the id of the client that stays, as requested.
  previous_id TEXT COLLATE "C" NOT NULL,
  into_id TEXT COLLATE "C" NOT NULL,
  -- No foreign keys: the one client is gone when the merge is done, the other may be merged later.
  previous_client UUID,
  client_id UUID NOT NULL,
  -- Since when the client that stays had existed before.
  client_since TIMESTAMPTZ,
  state TEXT NOT NULL,
  -- Events that were moved so far.
  events BIGINT NOT NULL,
  -- Whether a write key requested it, which it may while nothing but a visitor's events is known of the id that
  -- goes.
  of_visitor BOOLEAN NOT NULL DEFAULT FALSE,
  -- The member who requested it; NULL is a secret key.
  requested_by UUID,
  requested_at TIMESTAMPTZ NOT NULL,
  finished_at TIMESTAMPTZ,
  undone_by UUID,
  undone_at TIMESTAMPTZ,
  PRIMARY KEY (organization_id, id)
);
CREATE INDEX client_merges_by_client ON client_merges (organization_id, client_id);
CREATE INDEX open_client_merges ON client_merges (organization_id, number)
  WHERE state IN ('waiting', 'merging', 'undoing');

CREATE TABLE client_merge_events (
  organization_id UUID NOT NULL,
  merge_id UUID NOT NULL,
  occurred_at TIMESTAMPTZ NOT NULL,
  message_id TEXT COLLATE "C" NOT NULL,
  client_timestamp TIMESTAMPTZ NOT NULL,
  -- Whether the client that stays had the same message, which is its own.
  shared BOOLEAN NOT NULL,
  PRIMARY KEY (organization_id, merge_id, occurred_at, message_id, client_timestamp),
  FOREIGN KEY (organization_id, merge_id) REFERENCES client_merges (organization_id, id) ON DELETE CASCADE
);

CREATE TABLE client_merge_rows (
  organization_id UUID NOT NULL,
  merge_id UUID NOT NULL,
  table_name TEXT COLLATE "C" NOT NULL,
  -- moved: it belongs to the client that stays. deleted: it is kept only here. before, after: of the client that
  -- stays, around the merge.
  kind TEXT NOT NULL,
  -- As an SQL literal of this database; of rows that are kept here, a number.
  row_key TEXT COLLATE "C" NOT NULL,
  -- Columns as SQL literals of this database, in a JSON object.
  content TEXT,
  PRIMARY KEY (organization_id, merge_id, table_name, kind, row_key),
  FOREIGN KEY (organization_id, merge_id) REFERENCES client_merges (organization_id, id) ON DELETE CASCADE
);

-- Engagement: events, what is rolled up from them, and what they say about their senders.

CREATE TABLE event_names (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  name TEXT COLLATE "C" NOT NULL,
  event_type TEXT NOT NULL,
  PRIMARY KEY (organization_id, name)
);

-- No foreign keys, here and where activity and scores are kept: each would cost a look-up a row. Clients are
-- resolved in the same transaction, and deleting a client or an organization deletes its rows.
CREATE TABLE client_engagement_events (
  organization_id UUID NOT NULL,
  -- Leading with the time keeps what a batch writes in one region of the tree: events that come as they happen are
  -- written side by side. A key that starts with the client or a random id stores five times fewer events a
  -- second. The key also makes the same message known; a client's events are found by the instants in
  -- daily_activity.
  occurred_at TIMESTAMPTZ NOT NULL,
  client_id UUID NOT NULL,
  message_id TEXT COLLATE "C" NOT NULL,
  -- The client's own timestamp, before correction; occurred_at when it sent none. Part of what makes a message the
  -- same as another one.
  client_timestamp TIMESTAMPTZ NOT NULL,
  event_type TEXT NOT NULL,
  name TEXT NOT NULL,
  received_at TIMESTAMPTZ NOT NULL,
  session_id TEXT,
  page_path TEXT,
  duration_seconds BIGINT,
  -- NULL when the sender sent nothing more.
  data JSONB,
  -- Sent by a browser or with the client's own token.
  self_told BOOLEAN NOT NULL DEFAULT FALSE,
  PRIMARY KEY (organization_id, occurred_at, client_id, message_id, client_timestamp)
);

-- Events whose clock was corrected, by their own timestamps: the same message corrected by some other amount must
-- still be known as a duplicate.
CREATE TABLE event_moves (
  organization_id UUID NOT NULL,
  client_timestamp TIMESTAMPTZ NOT NULL,
  client_id UUID NOT NULL,
  message_id TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (organization_id, client_timestamp, client_id, message_id)
);

-- Messages that came without a timestamp of their own, by the UTC day they were received on: for a week they are
-- known by their id.
CREATE TABLE untimed_messages (
  organization_id UUID NOT NULL,
  day DATE NOT NULL,
  client_id UUID NOT NULL,
  message_id TEXT COLLATE "C" NOT NULL,
  received_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, day, client_id, message_id)
);

-- Who did an event, for those that a person did for a client: by these an event moves to another client when a
-- membership arrives late.
CREATE TABLE person_events (
  organization_id UUID NOT NULL,
  person_id TEXT COLLATE "C" NOT NULL,
  occurred_at TIMESTAMPTZ NOT NULL,
  message_id TEXT COLLATE "C" NOT NULL,
  client_timestamp TIMESTAMPTZ NOT NULL,
  -- No foreign key, as for events.
  client_id UUID NOT NULL,
  -- Whether the client follows from the person's memberships; else the message named it.
  by_membership BOOLEAN NOT NULL,
  PRIMARY KEY (organization_id, person_id, occurred_at, message_id, client_timestamp)
);
CREATE INDEX person_events_by_client ON person_events (organization_id, client_id);

-- Events of people who belong to no client yet.
CREATE TABLE waiting_events (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  person_id TEXT COLLATE "C" NOT NULL,
  -- The beginning of 1970 for a message without a timestamp.
  client_timestamp TIMESTAMPTZ NOT NULL,
  message_id TEXT COLLATE "C" NOT NULL,
  received_at TIMESTAMPTZ NOT NULL,
  event JSONB NOT NULL,
  PRIMARY KEY (organization_id, person_id, client_timestamp, message_id)
);
CREATE INDEX waiting_events_by_time ON waiting_events (organization_id, received_at);

-- The latest events that were refused, for whoever connects an app: few a second and a few hundred in all,
-- whatever is sent.
CREATE TABLE refused_events (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  id UUID NOT NULL,
  at TIMESTAMPTZ NOT NULL,
  field TEXT NOT NULL,
  reason TEXT NOT NULL,
  -- The beginning of what was sent, without what looks like a secret.
  body TEXT NOT NULL,
  -- How many more were refused in the same second and not kept.
  more BIGINT NOT NULL,
  PRIMARY KEY (organization_id, id)
);

CREATE TABLE daily_activity (
  organization_id UUID NOT NULL,
  -- Calendar day in the organization's time zone.
  day DATE NOT NULL,
  -- 0, and on days with more events than are kept together also those in activity_parts.
  part INTEGER NOT NULL,
  client_id UUID NOT NULL,
  event_type TEXT NOT NULL,
  event_count BIGINT NOT NULL,
  last_at TIMESTAMPTZ NOT NULL,
  -- When each of the events happened: ten hexadecimal digits an event, in no order, of the microseconds since the
  -- day before began in UTC (so that no zone makes them negative).
  instants TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (organization_id, day, part, client_id, event_type)
);

-- How many events each part of a day has: the rows of a part grow with every event, and what is added to is
-- written again.
CREATE TABLE activity_parts (
  organization_id UUID NOT NULL,
  day DATE NOT NULL,
  part INTEGER NOT NULL,
  events BIGINT NOT NULL,
  PRIMARY KEY (organization_id, day, part)
);

-- What is rolled up from events that came a few at a time, until it is gathered into daily_activity: put in place
-- at once, it would rewrite a page for almost every event.
CREATE TABLE pending_activity (
  organization_id UUID NOT NULL,
  -- Of all rows of a commit, ascending with time, so that they are written side by side.
  batch UUID NOT NULL,
  day DATE NOT NULL,
  client_id UUID NOT NULL,
  event_type TEXT COLLATE "C" NOT NULL,
  event_count BIGINT NOT NULL,
  last_at TIMESTAMPTZ NOT NULL,
  instants TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (organization_id, batch, day, client_id, event_type)
);

-- What daily_activity says up to organizations.folded_until, so that no figure needs to read it.
CREATE TABLE client_activity_totals (
  organization_id UUID NOT NULL,
  client_id UUID NOT NULL,
  content_generated BIGINT NOT NULL,
  visuals_created BIGINT NOT NULL,
  last_at TIMESTAMPTZ NOT NULL,
  -- The latest active days, as days since 1970-01-01.
  active_days JSONB NOT NULL,
  PRIMARY KEY (organization_id, client_id)
);

-- Which hours brought events with which key, to notice that the app behind a key has fallen silent. Kept for some
-- weeks only, and written once a second, not for every event.
CREATE TABLE key_activity (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  key_id UUID NOT NULL,
  -- Hours since 1970, UTC.
  hour BIGINT NOT NULL,
  events BIGINT NOT NULL,
  PRIMARY KEY (organization_id, key_id, hour)
);

-- By which key a client's events come: one row a client and key, written once a day at most.
CREATE TABLE client_keys (
  organization_id UUID NOT NULL,
  client_id UUID NOT NULL,
  key_id UUID NOT NULL,
  -- On how many UTC days something came by it, and on which of them last.
  days BIGINT NOT NULL,
  last_day DATE NOT NULL,
  PRIMARY KEY (organization_id, client_id, key_id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
);

-- When no client at all sends events, the events are missing rather than the clients: one notice, and the alerts
-- that such a silence opens are held until events come again.
CREATE TABLE data_silences (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  -- The last event before it.
  since TIMESTAMPTZ NOT NULL,
  noticed_at TIMESTAMPTZ NOT NULL,
  ended_at TIMESTAMPTZ,
  -- Where only part of the data is silent: how many clients came when it was noticed, and how many usually do.
  -- NULL where no event came at all.
  clients BIGINT,
  usual_clients BIGINT,
  PRIMARY KEY (organization_id, since)
);
-- At most one at a time, whatever runs at the same time.
CREATE UNIQUE INDEX one_open_data_silence ON data_silences (organization_id) WHERE ended_at IS NULL;

-- When no event comes with a key that had some: the app behind it is silent, not its clients.
CREATE TABLE key_silences (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  key_id UUID NOT NULL,
  -- The end of the last hour with an event.
  since TIMESTAMPTZ NOT NULL,
  noticed_at TIMESTAMPTZ NOT NULL,
  ended_at TIMESTAMPTZ,
  PRIMARY KEY (organization_id, key_id, since)
);
CREATE UNIQUE INDEX one_open_key_silence ON key_silences (organization_id, key_id) WHERE ended_at IS NULL;

-- Scores.

CREATE TABLE score_models (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  version BIGINT NOT NULL,
  model JSONB NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, version)
);

CREATE TABLE client_success_scores (
  organization_id UUID NOT NULL,
  -- Calendar day of as_of in the organization's time zone: one score a client and day.
  day DATE NOT NULL,
  client_id UUID NOT NULL,
  as_of TIMESTAMPTZ NOT NULL,
  overall BIGINT NOT NULL,
  engagement BIGINT NOT NULL,
  activation BIGINT NOT NULL,
  progress BIGINT NOT NULL,
  satisfaction BIGINT NOT NULL,
  momentum BIGINT NOT NULL,
  coverage BIGINT NOT NULL,
  previous BIGINT,
  previous_as_of TIMESTAMPTZ,
  change BIGINT,
  trend TEXT NOT NULL,
  model_version BIGINT NOT NULL,
  -- What the score was computed from: with the model of that version, all of its evidence.
  inputs JSONB NOT NULL,
  computed_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, day, client_id)
);

-- The days that have scores, to step from one to the next without searching.
CREATE TABLE score_days (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  day DATE NOT NULL,
  -- The latest instant that a score of the day is for, so that a run learns from one row that no score is
  -- later than what was seen to, without looking at each.
  latest_as_of TIMESTAMPTZ NOT NULL DEFAULT 'epoch',
  PRIMARY KEY (organization_id, day)
);

-- Clients of whom something late arrived: their stored scores after `since` are computed again.
CREATE TABLE stale_scores (
  organization_id UUID NOT NULL,
  client_id UUID NOT NULL,
  since TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, client_id)
);

-- Which clients' standing in the portfolio changed, in the order of the changes: ranges of ids, one row a range,
-- so that a score run leaves a row for thousands of clients. Whoever keeps the portfolio in memory reads on from
-- the last version that it knows; old rows are dropped.
CREATE TABLE portfolio_changes (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  version BIGINT NOT NULL,
  low UUID NOT NULL,
  high UUID NOT NULL,
  PRIMARY KEY (organization_id, version)
);

-- Insights.

CREATE TABLE client_insights (
  organization_id UUID NOT NULL,
  client_id UUID NOT NULL,
  -- Last local day of the period that it is about.
  period DATE NOT NULL,
  -- The rule that wrote it; running a period twice changes nothing.
  rule TEXT NOT NULL,
  id UUID NOT NULL,
  insight_type TEXT NOT NULL,
  priority TEXT NOT NULL,
  status TEXT NOT NULL,
  title TEXT NOT NULL,
  message TEXT NOT NULL,
  figures JSONB NOT NULL,
  evidence JSONB NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  valid_until TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, client_id, period, rule),
  UNIQUE (organization_id, id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
);

-- Alerts, and what staff do about them.

CREATE TABLE client_momentum_alerts (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  client_id UUID NOT NULL,
  alert_type TEXT NOT NULL,
  severity TEXT NOT NULL,
  status TEXT NOT NULL,
  message TEXT NOT NULL,
  figures JSONB NOT NULL,
  -- The score when the alert opened and the one it was compared with: what recovery is measured by. The figures
  -- follow the score while the alert is open.
  score_then BIGINT,
  score_before BIGINT,
  opened_at TIMESTAMPTZ NOT NULL,
  changed_at TIMESTAMPTZ NOT NULL,
  snoozed_until TIMESTAMPTZ,
  -- While set, the alert is open and nobody is notified of it: the data are silent.
  held_at TIMESTAMPTZ,
  -- When the silence of the data that held it had ended.
  released_at TIMESTAMPTZ,
  ended_at TIMESTAMPTZ,
  -- How it ended by itself. NULL while it is open, and when a member ended it.
  ending TEXT,
  -- While NULL the condition that opened it still holds, even when a member has ended the alert.
  condition_ended_at TIMESTAMPTZ,
  -- When the client had recovered, if it did in time.
  recovered_at TIMESTAMPTZ,
  PRIMARY KEY (organization_id, id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
);
-- An episode: at most one open a client and type, whatever runs at the same time.
CREATE UNIQUE INDEX one_open_alert ON client_momentum_alerts (organization_id, client_id, alert_type)
  WHERE status IN ('active', 'acknowledged', 'snoozed');
CREATE INDEX live_alerts ON client_momentum_alerts (organization_id, client_id) WHERE condition_ended_at IS NULL;
CREATE INDEX ended_alerts ON client_momentum_alerts (organization_id, ended_at, id) WHERE ended_at IS NOT NULL;
CREATE INDEX held_alerts ON client_momentum_alerts (organization_id, id) WHERE held_at IS NOT NULL;
-- How many are held back is asked for with every page of staff.
CREATE INDEX held_alerts_by_status ON client_momentum_alerts (organization_id, status) WHERE held_at IS NOT NULL;
CREATE INDEX unrecovered_alerts ON client_momentum_alerts (organization_id, client_id, opened_at) WHERE recovered_at IS NULL;
CREATE INDEX alerts_by_opening ON client_momentum_alerts (organization_id, opened_at);
-- Merging and deleting a client look for its alerts, ended ones too; without this they read all of the
-- organization's.
CREATE INDEX alerts_by_client ON client_momentum_alerts (organization_id, client_id);

-- Who did what with an alert, and when; member_id is NULL for the health check and secret keys.
CREATE TABLE alert_actions (
  organization_id UUID NOT NULL,
  alert_id UUID NOT NULL,
  id UUID NOT NULL,
  at TIMESTAMPTZ NOT NULL,
  action TEXT NOT NULL,
  member_id UUID,
  note TEXT NOT NULL,
  PRIMARY KEY (organization_id, alert_id, id),
  FOREIGN KEY (organization_id, alert_id) REFERENCES client_momentum_alerts (organization_id, id) ON DELETE CASCADE
);
-- A day's changes, for the daily digest.
CREATE INDEX alert_actions_by_time ON alert_actions (organization_id, at);

-- Changes of alerts that are not turned into messages yet: written with the change, and turned all together when
-- the health check that made them is done.
CREATE TABLE alert_news (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  alert_id UUID NOT NULL,
  change TEXT NOT NULL,
  -- As it was at that moment.
  alert_type TEXT NOT NULL,
  severity TEXT NOT NULL,
  message TEXT NOT NULL,
  -- Whether nobody is notified of it while the data are silent.
  held BOOLEAN NOT NULL,
  at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, id),
  FOREIGN KEY (organization_id, alert_id) REFERENCES client_momentum_alerts (organization_id, id) ON DELETE CASCADE
);

-- What follows from an alert or a change of the band, as the organization decided.
CREATE TABLE playbooks (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  id UUID NOT NULL,
  enabled BOOLEAN NOT NULL,
  -- Name, trigger and actions.
  playbook JSONB NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  changed_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, id)
);

CREATE TABLE playbook_runs (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  -- No foreign key, and the name as it was: what a playbook did stays when it is deleted.
  playbook_id UUID NOT NULL,
  name TEXT NOT NULL,
  client_id UUID NOT NULL,
  -- What started it: an alert, or the band of the score of a local day. No foreign key: what was done stays.
  alert_id UUID,
  day DATE,
  band_from TEXT,
  band_to TEXT,
  found_at TIMESTAMPTZ NOT NULL,
  -- Whether it waits for a person, because the playbook would act for so many clients at once; otherwise a run
  -- that has not started waits for data that are missing.
  needs_approval BOOLEAN NOT NULL DEFAULT FALSE,
  -- NULL while it waits.
  started_at TIMESTAMPTZ,
  -- What became of the actions that leave no row of their own.
  deeds JSONB NOT NULL,
  recovered_at TIMESTAMPTZ,
  PRIMARY KEY (organization_id, id),
  CHECK ((alert_id IS NULL) <> (day IS NULL)),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
);
-- Once an episode, and once a client and day, whatever runs at the same time.
CREATE UNIQUE INDEX one_run_an_episode ON playbook_runs (organization_id, playbook_id, alert_id) WHERE alert_id IS NOT NULL;
CREATE UNIQUE INDEX one_run_a_day ON playbook_runs (organization_id, playbook_id, client_id, day) WHERE day IS NOT NULL;
CREATE INDEX runs_by_alert ON playbook_runs (organization_id, alert_id) WHERE alert_id IS NOT NULL;
CREATE INDEX runs_by_client ON playbook_runs (organization_id, client_id, id);
CREATE INDEX runs_by_playbook ON playbook_runs (organization_id, playbook_id, found_at);
CREATE INDEX waiting_runs ON playbook_runs (organization_id, client_id) WHERE started_at IS NULL;

-- What staff are to do for a client. Not a task of the client's own: those are onboarding_tasks.
CREATE TABLE staff_tasks (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  client_id UUID NOT NULL,
  -- No foreign key, as with a client's owner: removing a member unassigns its tasks.
  owner_member_id UUID,
  title TEXT NOT NULL,
  text TEXT NOT NULL,
  -- A day of the organization's calendar; the task is late when that day is over.
  due_on DATE NOT NULL,
  state TEXT NOT NULL,
  -- What led to it; no foreign keys, since the task outlives them.
  alert_id UUID,
  playbook_run_id UUID,
  created_by UUID,
  created_at TIMESTAMPTZ NOT NULL,
  finished_by UUID,
  finished_at TIMESTAMPTZ,
  PRIMARY KEY (organization_id, id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
);
CREATE INDEX staff_tasks_by_due ON staff_tasks (organization_id, state, due_on, id);
CREATE INDEX staff_tasks_by_client ON staff_tasks (organization_id, client_id);
CREATE INDEX staff_tasks_by_alert ON staff_tasks (organization_id, alert_id) WHERE alert_id IS NOT NULL;
CREATE INDEX staff_tasks_by_run ON staff_tasks (organization_id, playbook_run_id) WHERE playbook_run_id IS NOT NULL;

-- Emails to clients: an outbox. Each row is written with what caused it, and a sender takes it from there.

CREATE TABLE client_success_emails (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  client_id UUID NOT NULL,
  email_type TEXT NOT NULL,
  -- Last local day of the period; at most one email of a type a client and period.
  period DATE NOT NULL,
  state TEXT NOT NULL,
  -- Why it is not sent, or not yet.
  reason TEXT,
  address TEXT NOT NULL,
  -- Names the email in its links; random. A link names the email's id too, so nothing is looked up by this.
  token BYTEA NOT NULL,
  subject TEXT NOT NULL,
  -- What it says, from which its text and HTML are made.
  content JSONB NOT NULL,
  -- The rendered email, compressed, from when it is queued until it is sent.
  body BYTEA,
  attempts BIGINT NOT NULL,
  -- Not before this.
  due_at TIMESTAMPTZ NOT NULL,
  sending_since TIMESTAMPTZ,
  created_at TIMESTAMPTZ NOT NULL,
  sent_at TIMESTAMPTZ,
  opened_at TIMESTAMPTZ,
  clicked_at TIMESTAMPTZ,
  PRIMARY KEY (organization_id, id),
  UNIQUE (organization_id, client_id, email_type, period),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
);
CREATE INDEX emails_to_send ON client_success_emails (organization_id, due_at) WHERE state IN ('queued', 'sending');

-- Opens and clicks. No figure depends on them.
CREATE TABLE email_events (
  organization_id UUID NOT NULL,
  email_id UUID NOT NULL,
  id UUID NOT NULL,
  kind TEXT NOT NULL,
  link BIGINT,
  at TIMESTAMPTZ NOT NULL,
  -- Whether a program rather than a person seems to have done it.
  suspected BOOLEAN NOT NULL,
  PRIMARY KEY (organization_id, email_id, id),
  FOREIGN KEY (organization_id, email_id) REFERENCES client_success_emails (organization_id, id) ON DELETE CASCADE
);

-- What an organization decides about its emails.
CREATE TABLE email_settings (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  settings JSONB NOT NULL,
  changed_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id)
);

-- Who asked for emails, was asked whether it wants them, or wants no more.
CREATE TABLE email_subscriptions (
  organization_id UUID NOT NULL,
  client_id UUID NOT NULL,
  state TEXT NOT NULL,
  address TEXT NOT NULL,
  source TEXT NOT NULL,
  changed_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, client_id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
);

-- Each change of a subscription, for good: consent has to be shown with its time and source.
CREATE TABLE email_consents (
  organization_id UUID NOT NULL,
  client_id UUID NOT NULL,
  id UUID NOT NULL,
  state TEXT NOT NULL,
  address TEXT NOT NULL,
  source TEXT NOT NULL,
  at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, client_id, id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
);

-- Addresses that a mail server refused for good.
CREATE TABLE email_suppressions (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  address TEXT NOT NULL,
  reason TEXT NOT NULL,
  at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, address)
);

-- Emails to one person about one thing that it asked for, or has to know: an outbox like that of the emails to
-- clients. A link that lets somebody in is not stored here: it is made when the email is sent.
CREATE TABLE transactional_emails (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  kind TEXT NOT NULL,
  -- Whom it is for: a member or a client.
  member_id UUID,
  client_id UUID,
  address TEXT NOT NULL,
  -- At most one email has the same.
  dedup_key TEXT,
  subject TEXT NOT NULL,
  content JSONB NOT NULL,
  state TEXT NOT NULL,
  reason TEXT,
  attempts BIGINT NOT NULL,
  due_at TIMESTAMPTZ NOT NULL,
  -- It is not sent after this.
  expires_at TIMESTAMPTZ NOT NULL,
  sending_since TIMESTAMPTZ,
  created_at TIMESTAMPTZ NOT NULL,
  sent_at TIMESTAMPTZ,
  PRIMARY KEY (organization_id, id),
  UNIQUE (organization_id, dedup_key),
  CHECK ((member_id IS NULL) <> (client_id IS NULL)),
  FOREIGN KEY (organization_id, member_id) REFERENCES members (organization_id, id) ON DELETE CASCADE,
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
);
CREATE INDEX transactional_emails_to_send ON transactional_emails (organization_id, due_at) WHERE state IN ('queued', 'sending');
CREATE INDEX transactional_emails_by_client ON transactional_emails (organization_id, client_id) WHERE client_id IS NOT NULL;
CREATE INDEX transactional_emails_by_member ON transactional_emails (organization_id, member_id) WHERE member_id IS NOT NULL;

-- Notifications to staff.

-- What an organization decides about notifying its staff.
CREATE TABLE notification_settings (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  settings JSONB NOT NULL,
  changed_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id)
);

-- Emails to staff: an outbox like that of the emails to clients.
CREATE TABLE staff_emails (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  member_id UUID NOT NULL,
  -- The local day that it is about; at most one email a member and day.
  day DATE NOT NULL,
  -- It covers changes until this instant, and the next one those from there on.
  told_until TIMESTAMPTZ NOT NULL,
  subject TEXT NOT NULL,
  content JSONB NOT NULL,
  state TEXT NOT NULL,
  reason TEXT,
  attempts BIGINT NOT NULL,
  due_at TIMESTAMPTZ NOT NULL,
  sending_since TIMESTAMPTZ,
  created_at TIMESTAMPTZ NOT NULL,
  sent_at TIMESTAMPTZ,
  PRIMARY KEY (organization_id, id),
  UNIQUE (organization_id, member_id, day),
  FOREIGN KEY (organization_id, member_id) REFERENCES members (organization_id, id) ON DELETE CASCADE
);
CREATE INDEX staff_emails_to_send ON staff_emails (organization_id, due_at) WHERE state IN ('queued', 'sending');

-- Where staff are notified of alerts, besides the pages here.
CREATE TABLE webhook_endpoints (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  id UUID NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  url TEXT NOT NULL,
  -- What messages are signed with. Not a hash: signing takes the secret itself.
  secret TEXT NOT NULL,
  -- The secret before it, which counts until an instant.
  previous_secret TEXT,
  previous_until TIMESTAMPTZ,
  -- Which notifications go there.
  route JSONB NOT NULL,
  ignores_quiet_hours BOOLEAN NOT NULL,
  -- Why nothing is sent there; NULL while something is.
  disabled_reason TEXT,
  disabled_at TIMESTAMPTZ,
  -- Since when every attempt has failed.
  failing_since TIMESTAMPTZ,
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, id)
);

-- The outbox: one row for each message and endpoint. It keeps what is said, not the bytes.
CREATE TABLE webhook_messages (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  endpoint_id UUID NOT NULL,
  notice_type TEXT NOT NULL,
  -- The external id of the one client that it is about, to be deleted with that client.
  about_client TEXT,
  notice JSONB NOT NULL,
  state TEXT NOT NULL,
  -- Why it is not delivered, or not yet.
  reason TEXT,
  -- Whether somebody waits for it: quiet hours do not hold it.
  by_hand BOOLEAN NOT NULL,
  attempts BIGINT NOT NULL,
  -- Not before this.
  due_at TIMESTAMPTZ NOT NULL,
  -- Until when nobody else sends it, and which claim that is.
  lease_until TIMESTAMPTZ,
  fence BIGINT NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  ended_at TIMESTAMPTZ,
  PRIMARY KEY (organization_id, id),
  FOREIGN KEY (organization_id, endpoint_id) REFERENCES webhook_endpoints (organization_id, id) ON DELETE CASCADE
);
CREATE INDEX webhook_messages_due ON webhook_messages (organization_id, endpoint_id, due_at) WHERE state = 'queued';
CREATE INDEX webhook_messages_by_endpoint ON webhook_messages (organization_id, endpoint_id, id);

-- Which alerts a message is about.
CREATE TABLE webhook_message_alerts (
  organization_id UUID NOT NULL,
  alert_id UUID NOT NULL,
  message_id UUID NOT NULL,
  PRIMARY KEY (organization_id, alert_id, message_id),
  FOREIGN KEY (organization_id, alert_id) REFERENCES client_momentum_alerts (organization_id, id) ON DELETE CASCADE,
  FOREIGN KEY (organization_id, message_id) REFERENCES webhook_messages (organization_id, id) ON DELETE CASCADE
);
CREATE INDEX alerts_of_webhook_message ON webhook_message_alerts (organization_id, message_id);

-- Each time that a message was sent, and the result.
CREATE TABLE webhook_attempts (
  organization_id UUID NOT NULL,
  message_id UUID NOT NULL,
  id UUID NOT NULL,
  at TIMESTAMPTZ NOT NULL,
  duration_ms BIGINT NOT NULL,
  -- The status of the response; NULL when there was none.
  status BIGINT,
  -- The beginning of the response.
  response TEXT NOT NULL,
  -- Why it did not arrive; NULL when it did.
  error TEXT,
  PRIMARY KEY (organization_id, message_id, id),
  FOREIGN KEY (organization_id, message_id) REFERENCES webhook_messages (organization_id, id) ON DELETE CASCADE
);

-- Row-level security.
--
-- What the server checks first, the database checks again: every tenant table has row-level security, forced, so
-- that not even the tables' owner reads past it. Policies see settings that are local to a transaction:
--   mainstay.role             system | service | owner | admin | staff | viewer | client
--   mainstay.organization_id  the tenant; unset for system
--   mainstay.client_id        the client, for role client
-- A setting that is missing is NULL and matches nothing.

DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'mainstay_app') THEN
    CREATE ROLE mainstay_app NOLOGIN;
  END IF;
EXCEPTION
  -- Roles belong to the cluster: another database of it may be migrating at the same moment.
  WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

DO $$
BEGIN
  -- Since PostgreSQL 16 a member need not be allowed to SET ROLE, and whoever creates a role may not.
  IF NOT pg_has_role(current_user, 'mainstay_app', CASE
    WHEN current_setting('server_version_num')::int < 160000 THEN 'MEMBER' ELSE 'SET' END)
  THEN
    EXECUTE format('GRANT mainstay_app TO %I', current_user);
  END IF;
EXCEPTION
  -- As above.
  WHEN unique_violation THEN NULL;
END $$;

DO $$
BEGIN
  EXECUTE format('GRANT USAGE ON SCHEMA %I TO mainstay_app', current_schema());
END $$;

DO $$
DECLARE
  role CONSTANT text := 'current_setting(''mainstay.role'', true)';
  organization CONSTANT text := 'organization_id = NULLIF(current_setting(''mainstay.organization_id'', true), '''')::uuid';
  itself CONSTANT text := replace(organization, 'organization_id =', 'id =');
  own CONSTANT text := 'client_id = NULLIF(current_setting(''mainstay.client_id'', true), '''')::uuid';
  administrators CONSTANT text := role || ' IN (''owner'', ''admin'') AND ' || organization;
  members CONSTANT text := role || ' IN (''owner'', ''admin'', ''staff'') AND ' || organization;
  staff CONSTANT text := role || ' = ''staff'' AND ' || organization;
  client CONSTANT text := role || ' = ''client'' AND ' || organization;
  is_owner CONSTANT text := role || ' = ''owner'' AND ' || organization;
  is_admin CONSTANT text := role || ' = ''admin'' AND ' || organization;
  -- The same, looked up once a statement instead of once a row.
  role_once CONSTANT text := '(SELECT current_setting(''mainstay.role'', true))';
  organization_once CONSTANT text := 'organization_id = NULLIF((SELECT current_setting(''mainstay.organization_id'', true)), '''')::uuid';
  organization_cast_once CONSTANT text := 'organization_id = (SELECT NULLIF(current_setting(''mainstay.organization_id'', true), '''')::uuid)';
  of_no_owner text;
  tenant_table text;
BEGIN
  FOREACH tenant_table IN ARRAY ARRAY[
    'organizations', 'organization_secrets', 'secret_keys', 'members', 'api_keys', 'member_passwords', 'sessions',
    'sign_in_links', 'sign_in_failures', 'allowed_sites', 'job_schedules', 'job_runs',
    'clients', 'client_aliases', 'anonymous_ids', 'related_profiles', 'memberships', 'client_notes',
    'onboarding_tasks', 'onboarding_task_changes', 'launch_kits', 'client_feedback', 'client_lockouts',
    'erased_clients', 'erasure_keys', 'client_merges', 'client_merge_events', 'client_merge_rows',
    'event_names', 'client_engagement_events', 'event_moves', 'untimed_messages', 'person_events', 'waiting_events',
    'refused_events', 'daily_activity', 'activity_parts', 'pending_activity', 'client_activity_totals',
    'key_activity', 'client_keys', 'data_silences', 'key_silences',
    'score_models', 'client_success_scores', 'score_days', 'stale_scores', 'portfolio_changes',
    'client_insights', 'client_momentum_alerts', 'alert_actions', 'alert_news',
    'playbooks', 'playbook_runs', 'staff_tasks',
    'client_success_emails', 'email_events', 'email_settings', 'email_subscriptions', 'email_consents',
    'email_suppressions', 'transactional_emails',
    'notification_settings', 'staff_emails', 'webhook_endpoints', 'webhook_messages', 'webhook_message_alerts',
    'webhook_attempts'
  ] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO mainstay_app', tenant_table);
    CASE
      WHEN tenant_table = 'organizations' THEN
        EXECUTE format('CREATE POLICY system ON %I USING (%s = ''system'')', tenant_table, role);
      WHEN tenant_table IN ('related_profiles', 'memberships', 'person_events', 'waiting_events') THEN
        EXECUTE format('CREATE POLICY system ON %I USING (%s = ''system'')', tenant_table, role_once);
        EXECUTE format('CREATE POLICY service ON %I USING (%s = ''service'' AND %s)', tenant_table, role_once, organization_cast_once);
      WHEN tenant_table IN ('secret_keys', 'erased_clients', 'erasure_keys') THEN
        EXECUTE format('CREATE POLICY system ON %I USING (%s = ''system'')', tenant_table, role_once);
        EXECUTE format('CREATE POLICY service ON %I USING (%s = ''service'' AND %s)', tenant_table, role_once, organization_once);
      ELSE
        EXECUTE format('CREATE POLICY system ON %I USING (%s = ''system'')', tenant_table, role);
        EXECUTE format('CREATE POLICY service ON %I USING (%s = ''service'' AND %s)', tenant_table, role, organization);
    END CASE;
  END LOOP;

  -- The organization itself: everybody of it reads it, owner and admin change it.
  EXECUTE format('CREATE POLICY read ON organizations FOR SELECT USING (%s IN (''service'', ''owner'', ''admin'', ''staff'', ''client'') AND %s)', role, itself);
  EXECUTE format('CREATE POLICY change ON organizations FOR UPDATE USING (%s IN (''service'', ''owner'', ''admin'') AND %s)', role, itself);

  -- Settings and what holds secrets: owner and admin. What members change, they change as themselves, so that the
  -- database checks their role a second time.
  FOREACH tenant_table IN ARRAY ARRAY[
    'organization_secrets', 'allowed_sites', 'event_names', 'score_models', 'playbooks', 'job_schedules',
    'job_runs', 'email_settings', 'email_suppressions', 'notification_settings', 'webhook_endpoints',
    'webhook_messages', 'webhook_message_alerts', 'webhook_attempts'
  ] LOOP
    EXECUTE format('CREATE POLICY administer ON %I USING (%s)', tenant_table, administrators);
  END LOOP;
  FOREACH tenant_table IN ARRAY ARRAY['secret_keys', 'erased_clients', 'erasure_keys'] LOOP
    EXECUTE format('CREATE POLICY administer ON %I USING (%s IN (''owner'', ''admin'') AND %s)', tenant_table, role_once, organization_once);
  END LOOP;
  FOREACH tenant_table IN ARRAY ARRAY['members', 'allowed_sites', 'event_names', 'score_models', 'playbooks'] LOOP
    EXECUTE format('CREATE POLICY staff_read ON %I FOR SELECT USING (%s)', tenant_table, staff);
  END LOOP;

  -- Who signs in is found before its organization is known (system); everything else about passwords, failures and
  -- lockouts is the service's alone, so those tables have no policy more.
  --
  -- An admin is no owner: it reads owners, and neither makes nor changes one, nor a key or link of one, nor ends
  -- its sessions.
  EXECUTE format('CREATE POLICY owner_administer ON members USING (%s)', is_owner);
  EXECUTE format('CREATE POLICY admin_read ON members FOR SELECT USING (%s)', is_admin);
  EXECUTE format('CREATE POLICY admin_insert ON members FOR INSERT WITH CHECK (%s AND role <> ''owner'')', is_admin);
  EXECUTE format('CREATE POLICY admin_update ON members FOR UPDATE USING (%s AND role <> ''owner'')', is_admin);
  EXECUTE format('CREATE POLICY admin_delete ON members FOR DELETE USING (%s AND role <> ''owner'')', is_admin);
  FOREACH tenant_table IN ARRAY ARRAY['api_keys', 'sessions', 'sign_in_links'] LOOP
    of_no_owner := format('(member_id IS NULL OR EXISTS (SELECT FROM members m WHERE m.organization_id = %I.organization_id AND m.id = member_id AND m.role <> ''owner''))', tenant_table);
    EXECUTE format('CREATE POLICY owner_administer ON %I USING (%s)', tenant_table, is_owner);
    EXECUTE format('CREATE POLICY admin_read ON %I FOR SELECT USING (%s)', tenant_table, is_admin);
    EXECUTE format('CREATE POLICY admin_insert ON %I FOR INSERT WITH CHECK (%s AND %s)', tenant_table, is_admin, of_no_owner);
    EXECUTE format('CREATE POLICY admin_update ON %I FOR UPDATE USING (%s AND %s)', tenant_table, is_admin, of_no_owner);
    EXECUTE format('CREATE POLICY admin_delete ON %I FOR DELETE USING (%s AND %s)', tenant_table, is_admin, of_no_owner);
  END LOOP;

  -- What clients are and do, and what is done for them: members read all of it. Not the rows that a merge keeps for
  -- an undo, which are nobody's to read.
  FOREACH tenant_table IN ARRAY ARRAY[
    'job_schedules', 'job_runs', 'clients', 'client_aliases', 'anonymous_ids', 'client_notes', 'onboarding_tasks',
    'onboarding_task_changes', 'launch_kits', 'client_feedback', 'client_merges', 'client_engagement_events',
    'event_moves', 'untimed_messages', 'refused_events', 'daily_activity', 'pending_activity',
    'client_activity_totals', 'data_silences', 'key_silences', 'client_success_scores', 'score_days',
    'stale_scores', 'portfolio_changes', 'client_insights', 'client_momentum_alerts', 'alert_actions', 'alert_news',
    'playbook_runs', 'client_success_emails', 'email_events', 'email_settings', 'email_subscriptions',
    'email_consents', 'email_suppressions', 'notification_settings', 'webhook_messages', 'webhook_message_alerts',
    'webhook_attempts'
  ] LOOP
    EXECUTE format('CREATE POLICY member_read ON %I FOR SELECT USING (%s)', tenant_table, members);
  END LOOP;
  FOREACH tenant_table IN ARRAY ARRAY['related_profiles', 'memberships', 'person_events', 'waiting_events'] LOOP
    EXECUTE format('CREATE POLICY member_read ON %I FOR SELECT USING (%s IN (''owner'', ''admin'', ''staff'') AND %s)', tenant_table, role_once, organization_cast_once);
  END LOOP;
  FOREACH tenant_table IN ARRAY ARRAY['erased_clients', 'erasure_keys'] LOOP
    EXECUTE format('CREATE POLICY member_read ON %I FOR SELECT USING (%s IN (''owner'', ''admin'', ''staff'') AND %s)', tenant_table, role_once, organization_once);
  END LOOP;

  -- Members maintain the clients' records, which can make scores stale and changes standings, and act on insights
  -- and alerts, which is news. Every member has tasks. That a note is one's own is checked by the query.
  FOREACH tenant_table IN ARRAY ARRAY[
    'clients', 'client_notes', 'onboarding_tasks', 'onboarding_task_changes', 'launch_kits', 'client_feedback',
    'stale_scores', 'portfolio_changes', 'client_insights', 'client_momentum_alerts', 'alert_actions', 'alert_news'
  ] LOOP
    EXECUTE format('CREATE POLICY member_insert ON %I FOR INSERT WITH CHECK (%s)', tenant_table, members);
  END LOOP;
  FOREACH tenant_table IN ARRAY ARRAY[
    'clients', 'onboarding_tasks', 'onboarding_task_changes', 'launch_kits', 'client_feedback', 'stale_scores',
    'client_insights', 'client_momentum_alerts', 'alert_actions'
  ] LOOP
    EXECUTE format('CREATE POLICY member_update ON %I FOR UPDATE USING (%s)', tenant_table, members);
  END LOOP;
  EXECUTE format('CREATE POLICY member_delete ON client_notes FOR DELETE USING (%s)', members);
  EXECUTE format('CREATE POLICY member ON staff_tasks USING (%s)', members);

  -- A client reads its own rows, and no note, alert, playbook or task of staff. It dismisses its insights; its
  -- events and feedback are stored by the service.
  FOREACH tenant_table IN ARRAY ARRAY[
    'onboarding_tasks', 'onboarding_task_changes', 'launch_kits', 'client_feedback', 'client_engagement_events',
    'daily_activity', 'pending_activity', 'client_activity_totals', 'client_success_scores', 'stale_scores',
    'client_insights', 'client_success_emails', 'email_subscriptions'
  ] LOOP
    EXECUTE format('CREATE POLICY client_read ON %I FOR SELECT USING (%s AND %s)', tenant_table, client, own);
  END LOOP;
  EXECUTE format('CREATE POLICY client_read ON clients FOR SELECT USING (%s AND %s)', client, replace(own, 'client_id =', 'id ='));
  FOREACH tenant_table IN ARRAY ARRAY['score_models', 'score_days'] LOOP
    EXECUTE format('CREATE POLICY client_read ON %I FOR SELECT USING (%s)', tenant_table, client);
  END LOOP;
  EXECUTE format('CREATE POLICY client_update ON client_insights FOR UPDATE USING (%s AND %s)', client, own);
  EXECUTE format('CREATE POLICY reader ON activity_parts FOR SELECT USING (%s IN (''owner'', ''admin'', ''staff'', ''client'') AND %s)', role, organization);

  -- A viewer sees what staff see and changes nothing. What no policy allows is refused, so a viewer's are policies
  -- to read and no others. Not the keys of erased ids: only who deletes and creates clients needs them.
  EXECUTE format('CREATE POLICY viewer_read ON organizations FOR SELECT USING (%s = ''viewer'' AND %s)', role_once, replace(organization_once, 'organization_id =', 'id ='));
  FOREACH tenant_table IN ARRAY ARRAY[
    'members', 'allowed_sites', 'job_schedules', 'job_runs',
    'clients', 'client_aliases', 'anonymous_ids', 'related_profiles', 'memberships', 'client_notes',
    'onboarding_tasks', 'onboarding_task_changes', 'launch_kits', 'client_feedback', 'erased_clients',
    'client_merges', 'event_names', 'client_engagement_events', 'event_moves', 'untimed_messages', 'person_events',
    'waiting_events', 'refused_events', 'daily_activity', 'activity_parts', 'pending_activity',
    'client_activity_totals', 'data_silences', 'key_silences', 'score_models', 'client_success_scores',
    'score_days', 'stale_scores', 'portfolio_changes', 'client_insights', 'client_momentum_alerts',
    'alert_actions', 'alert_news', 'playbooks', 'playbook_runs', 'staff_tasks', 'client_success_emails',
    'email_events', 'email_settings', 'email_subscriptions', 'email_consents', 'email_suppressions',
    'notification_settings', 'webhook_messages', 'webhook_message_alerts', 'webhook_attempts'
  ] LOOP
    EXECUTE format('CREATE POLICY viewer_read ON %I FOR SELECT USING (%s = ''viewer'' AND %s)', tenant_table, role_once, organization_once);
  END LOOP;
END $$;
