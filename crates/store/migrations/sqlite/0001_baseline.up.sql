-- The whole schema. What comes after the first release is a migration of its own.
--
-- Instants are microseconds since 1970, days are days since 1970, ids are their 16 bytes. SQLite has no row-level
-- security: every query carries organization_id, and the server alone checks roles.
--
-- WITHOUT ROWID where a row is little more than its key, so that it is stored once and in the order of the key.
--
-- Primary keys, unique constraints and foreign keys of tenant tables begin with organization_id, so that the
-- tables can be sharded by it. The indexes by hash and by email do not: who signs in or sends a key names no
-- organization. They are not unique, since a unique constraint would have to begin with organization_id.
--
-- Names of states, kinds and types are listed in the code alone, which refuses to read one that it does not
-- know. Indexes name the few states that they cover.

-- Organizations, their members and keys.

CREATE TABLE organizations (
  id BLOB PRIMARY KEY NOT NULL,
  slug TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  time_zone TEXT NOT NULL,
  sample INTEGER NOT NULL CHECK (sample IN (0, 1)),
  created_at INTEGER NOT NULL,
  -- Whether clients are users or accounts.
  clients_are TEXT NOT NULL DEFAULT 'users',
  -- Whether high-value event types count when a browser or the client itself sends them.
  count_self_told INTEGER NOT NULL DEFAULT 0 CHECK (count_self_told IN (0, 1)),
  -- The score model for new scores.
  model_version INTEGER NOT NULL,
  -- Newest as_of of any stored score: an event before it is late and makes stored scores stale.
  scored_until INTEGER,
  -- Last local day folded into client_activity_totals.
  folded_until INTEGER,
  -- Newest as_of of a health check: episodes only move forward in time.
  health_checked_until INTEGER,
  -- How many clients were deleted: whoever keeps clients in memory forgets them when this changes.
  client_deletions INTEGER NOT NULL DEFAULT 0,
  -- A change of the time zone that is under way: what is rolled up moves to the days of the new zone a few rows
  -- at a time. Since when; NULL when none is.
  zone_change_since INTEGER,
  -- Totals of the old days are deleted, then rows are moved, then days are folded again.
  zone_change_phase TEXT,
  -- Rows up to this one are moved: the day, its part, and the client in it.
  zone_change_day INTEGER,
  zone_change_part INTEGER,
  zone_change_client BLOB,
  -- Up to which day the activity was folded before.
  zone_change_folded INTEGER
) STRICT;

CREATE TABLE organization_secrets (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  secret TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, kind)
) STRICT;

-- The keys that an organization's secrets are encrypted with: ids of the operator's keys, or 'plain' for what is
-- stored as it is.
CREATE TABLE secret_keys (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  key_id TEXT NOT NULL,
  PRIMARY KEY (organization_id, key_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE members (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  id BLOB NOT NULL,
  email TEXT NOT NULL,
  name TEXT NOT NULL,
  role TEXT NOT NULL,
  daily_digest INTEGER NOT NULL DEFAULT 0 CHECK (daily_digest IN (0, 1)),
  created_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, id),
  UNIQUE (organization_id, email)
) STRICT;
CREATE INDEX members_by_email ON members (email);

CREATE TABLE api_keys (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  id BLOB NOT NULL,
  kind TEXT NOT NULL,
  -- Where a write key is used; NULL is a server.
  source TEXT,
  member_id BLOB,
  -- SHA-256 of the key's text, which is shown once and never stored.
  hash BLOB NOT NULL,
  -- The first characters, by which people tell keys apart.
  prefix TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  -- NULL for good; tokens of members always expire.
  expires_at INTEGER,
  revoked_at INTEGER,
  PRIMARY KEY (organization_id, id),
  FOREIGN KEY (organization_id, member_id) REFERENCES members (organization_id, id) ON DELETE CASCADE,
  CHECK ((kind = 'member') = (member_id IS NOT NULL))
) STRICT;
CREATE INDEX api_keys_by_hash ON api_keys (hash);

-- Apart from members: staff may list members, nobody needs to read the hashes of their passwords.
CREATE TABLE member_passwords (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  member_id BLOB NOT NULL,
  -- Argon2id with its parameters and salt, as a PHC string.
  hash TEXT NOT NULL,
  changed_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, member_id),
  FOREIGN KEY (organization_id, member_id) REFERENCES members (organization_id, id) ON DELETE CASCADE
) STRICT;

CREATE TABLE sessions (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  -- SHA-256 of the cookie's value, which is not stored.
  hash BLOB NOT NULL,
  member_id BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  used_at INTEGER NOT NULL,
  -- When the member last entered the password again; NULL until it does so after signing in.
  confirmed_at INTEGER,
  PRIMARY KEY (organization_id, hash),
  FOREIGN KEY (organization_id, member_id) REFERENCES members (organization_id, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX sessions_by_hash ON sessions (hash);
CREATE INDEX sessions_by_member ON sessions (organization_id, member_id);

CREATE TABLE sign_in_links (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  -- SHA-256 of the link's secret, which is shown once and never stored.
  hash BLOB NOT NULL,
  kind TEXT NOT NULL,
  -- Who may sign in with it; NULL for the link that makes the first owner.
  member_id BLOB,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  used_at INTEGER,
  PRIMARY KEY (organization_id, hash),
  FOREIGN KEY (organization_id, member_id) REFERENCES members (organization_id, id) ON DELETE CASCADE,
  CHECK ((kind = 'setup') = (member_id IS NULL))
) STRICT;
CREATE INDEX sign_in_links_by_hash ON sign_in_links (hash);

-- Wrong passwords that were tried for a member, until the member confirms that it knows of them.
CREATE TABLE sign_in_failures (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  member_id BLOB NOT NULL,
  failures INTEGER NOT NULL,
  since INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  -- The latest addresses that they came from, separated by spaces.
  places TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (organization_id, member_id),
  FOREIGN KEY (organization_id, member_id) REFERENCES members (organization_id, id) ON DELETE CASCADE
) STRICT;

-- Sites of the organization that may show its clients' pages in a frame and use the widgets.
CREATE TABLE allowed_sites (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  origin TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, origin)
) STRICT;

-- What an organization changed about when its jobs run; the others run as built in.
CREATE TABLE job_schedules (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  job TEXT NOT NULL,
  cron TEXT NOT NULL,
  -- Nothing that was due before is made up for.
  changed_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, job)
) STRICT;

-- Each period of a job once.
CREATE TABLE job_runs (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  id BLOB NOT NULL,
  job TEXT NOT NULL,
  period INTEGER NOT NULL,
  -- Whether the schedule asked for it, rather than a person.
  scheduled INTEGER NOT NULL,
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  -- Counts up with every claim: whoever holds an older one has lost the run and writes nothing more.
  fence INTEGER NOT NULL,
  holder TEXT,
  lease_until INTEGER,
  step TEXT,
  done INTEGER NOT NULL,
  total INTEGER NOT NULL,
  counts TEXT NOT NULL,
  error TEXT,
  created_at INTEGER NOT NULL,
  started_at INTEGER,
  finished_at INTEGER,
  PRIMARY KEY (organization_id, id),
  UNIQUE (organization_id, job, period)
) STRICT;
CREATE INDEX open_job_runs ON job_runs (organization_id) WHERE finished_at IS NULL;

-- Clients and what is known of them.

CREATE TABLE clients (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  id BLOB NOT NULL,
  external_id TEXT NOT NULL,
  name TEXT,
  email TEXT,
  -- The address that a write key sent last; no email goes there before its owner has agreed.
  unconfirmed_email TEXT,
  plan TEXT,
  -- Segment's group: the account that a user belongs to.
  group_id TEXT,
  traits TEXT NOT NULL,
  -- When each value was sent and by which message, also of those that were cleared, so that the order of messages
  -- does not matter. A value without one gives way to whatever is sent next.
  profile_times TEXT NOT NULL DEFAULT '{}',
  -- The member who looks after it. No foreign key: a key of two columns cannot set one of them to NULL, so
  -- removing a member does it.
  owner_member_id BLOB,
  -- When it was first heard of, other than by an event.
  told_at INTEGER,
    -- Whether anything but a write key, which may be public, has sent something about it: such a client is never
  -- merged into another one for a write key.
  known INTEGER NOT NULL DEFAULT 0 CHECK (known IN (0, 1)),
  created_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, id),
  UNIQUE (organization_id, external_id)
) STRICT;
CREATE INDEX clients_by_owner ON clients (organization_id, owner_member_id) WHERE owner_member_id IS NOT NULL;

CREATE TABLE client_aliases (
  organization_id BLOB NOT NULL,
  -- An id that was merged into another client; never the external_id of a client too.
  external_id TEXT NOT NULL,
  client_id BLOB NOT NULL,
  -- Whether a write key gave it the name. Such a name opens nothing, and ends when anything else sends something
  -- about the id.
  of_visitor INTEGER NOT NULL DEFAULT 0 CHECK (of_visitor IN (0, 1)),
  created_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, external_id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX client_aliases_by_client ON client_aliases (organization_id, client_id);

CREATE TABLE anonymous_ids (
  organization_id BLOB NOT NULL,
  -- An id from before a person was known; names no client by itself, and no event.
  anonymous_id TEXT NOT NULL,
  client_id BLOB NOT NULL,
  joined_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, anonymous_id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX anonymous_ids_by_client ON anonymous_ids (organization_id, client_id);

-- Profiles of those who are no clients: people, where clients are accounts, and groups, where clients are users.
CREATE TABLE related_profiles (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  -- The host app's id.
  external_id TEXT NOT NULL,
  name TEXT,
  email TEXT,
  plan TEXT,
  traits TEXT NOT NULL,
  profile_times TEXT NOT NULL,
  told_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, kind, external_id)
) STRICT, WITHOUT ROWID;

-- Since when a person belongs to a client. Every message of it is kept: which account a person was in at an
-- instant follows from them whatever arrived first.
CREATE TABLE memberships (
  organization_id BLOB NOT NULL,
  person_id TEXT NOT NULL,
  since INTEGER NOT NULL,
  message_id TEXT NOT NULL,
  client_id BLOB NOT NULL,
  PRIMARY KEY (organization_id, person_id, since, message_id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX memberships_by_client ON memberships (organization_id, client_id);

CREATE TABLE client_notes (
  organization_id BLOB NOT NULL,
  client_id BLOB NOT NULL,
  id BLOB NOT NULL,
  -- No foreign key: what a member wrote stays when the member goes.
  member_id BLOB NOT NULL,
  text TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, client_id, id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
) STRICT;

CREATE TABLE onboarding_tasks (
  organization_id BLOB NOT NULL,
  client_id BLOB NOT NULL,
  id BLOB NOT NULL,
  title TEXT NOT NULL,
  status TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, client_id, id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
) STRICT;

-- Every status a task had, so that a score of the past can be recomputed as it was.
CREATE TABLE onboarding_task_changes (
  organization_id BLOB NOT NULL,
  client_id BLOB NOT NULL,
  task_id BLOB NOT NULL,
  changed_at INTEGER NOT NULL,
  status TEXT NOT NULL,
  PRIMARY KEY (organization_id, client_id, task_id, changed_at),
  FOREIGN KEY (organization_id, client_id, task_id) REFERENCES onboarding_tasks (organization_id, client_id, id) ON DELETE CASCADE
) STRICT;

CREATE TABLE launch_kits (
  organization_id BLOB NOT NULL,
  client_id BLOB NOT NULL,
  viewed_at INTEGER,
  completed_at INTEGER,
  PRIMARY KEY (organization_id, client_id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
) STRICT;

CREATE TABLE client_feedback (
  organization_id BLOB NOT NULL,
  client_id BLOB NOT NULL,
  id BLOB NOT NULL,
  kind TEXT NOT NULL,
  rating INTEGER NOT NULL,
  -- The rating on a common scale, 0 to 100.
  normalised INTEGER NOT NULL CHECK (normalised BETWEEN 0 AND 100),
  comment TEXT,
  given_at INTEGER NOT NULL,
  -- Sent by a browser or with the client's own token.
  self_told INTEGER NOT NULL DEFAULT 0 CHECK (self_told IN (0, 1)),
  PRIMARY KEY (organization_id, client_id, id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
) STRICT;

-- Clients have no stored sessions: what lets them in is signed. This says which of it ended early, by the host
-- app's id, since a token may be for a client that has not sent an event yet.
CREATE TABLE client_lockouts (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  external_id TEXT NOT NULL,
  sessions_from INTEGER NOT NULL,
  tokens_from INTEGER,
  PRIMARY KEY (organization_id, external_id)
) STRICT;

-- Ids of deleted clients that stay away: events of them are refused. Only a keyed hash of each is kept, so that
-- nothing here names anybody.
CREATE TABLE erased_clients (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  -- HMAC-SHA256 of the id with the organization's key, in hexadecimal digits.
  id_hash TEXT NOT NULL,
  erased_at INTEGER NOT NULL,
  -- Until when it stays away; NULL for good.
  keep_out_until INTEGER,
  -- How much of it was refused since, and when the latest.
  refused INTEGER NOT NULL,
  refused_at INTEGER,
  PRIMARY KEY (organization_id, id_hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE erasure_keys (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  -- The key of the hashes. A secret, and encrypted as such.
  secret TEXT NOT NULL,
  PRIMARY KEY (organization_id)
) STRICT, WITHOUT ROWID;

-- Merges of two clients: a queue of what is yet to be done, and what it takes to undo what was done.
CREATE TABLE client_merges (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  id BLOB NOT NULL,
  -- Counts up: merges are done in the order of the requests.
  number INTEGER NOT NULL,
  -- The id that goes and the id of the client that stays, as requested.
  previous_id TEXT NOT NULL,
  into_id TEXT NOT NULL,
  -- No foreign keys: the one client is gone when the merge is done, the other may be merged later.
  previous_client BLOB,
  client_id BLOB NOT NULL,
  -- Since when the client that stays had existed before.
  client_since INTEGER,
  state TEXT NOT NULL,
  -- Events that were moved so far.
  events INTEGER NOT NULL,
  -- Whether a write key requested it, which it may while nothing but a visitor's events is known of the id that
  -- goes.
  of_visitor INTEGER NOT NULL DEFAULT 0 CHECK (of_visitor IN (0, 1)),
  -- The member who requested it; NULL is a secret key.
  requested_by BLOB,
  requested_at INTEGER NOT NULL,
  finished_at INTEGER,
  undone_by BLOB,
  undone_at INTEGER,
  PRIMARY KEY (organization_id, id)
) STRICT;
CREATE INDEX client_merges_by_client ON client_merges (organization_id, client_id);
CREATE INDEX open_client_merges ON client_merges (organization_id, number)
  WHERE state IN ('waiting', 'merging', 'undoing');

CREATE TABLE client_merge_events (
  organization_id BLOB NOT NULL,
  merge_id BLOB NOT NULL,
  occurred_at INTEGER NOT NULL,
  message_id TEXT NOT NULL,
  client_timestamp INTEGER NOT NULL,
  -- Whether the client that stays had the same message, which is its own.
  shared INTEGER NOT NULL CHECK (shared IN (0, 1)),
  PRIMARY KEY (organization_id, merge_id, occurred_at, message_id, client_timestamp),
  FOREIGN KEY (organization_id, merge_id) REFERENCES client_merges (organization_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE client_merge_rows (
  organization_id BLOB NOT NULL,
  merge_id BLOB NOT NULL,
  table_name TEXT NOT NULL,
  -- moved: it belongs to the client that stays. deleted: it is kept only here. before, after: of the client that
  -- stays, around the merge.
  kind TEXT NOT NULL,
  -- As an SQL literal of this database; of rows that are kept here, a number.
  row_key TEXT NOT NULL,
  -- Columns as SQL literals of this database, in a JSON object.
  content TEXT,
  PRIMARY KEY (organization_id, merge_id, table_name, kind, row_key),
  FOREIGN KEY (organization_id, merge_id) REFERENCES client_merges (organization_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Engagement: events, what is rolled up from them, and what they say about their senders.

CREATE TABLE event_names (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  event_type TEXT NOT NULL,
  PRIMARY KEY (organization_id, name)
) STRICT;

-- No foreign keys, here and where activity and scores are kept: each would cost a look-up a row. Clients are
-- resolved in the same transaction, and deleting a client or an organization deletes its rows.
CREATE TABLE client_engagement_events (
  organization_id BLOB NOT NULL,
  -- Leading with the time keeps what a batch writes in one region of the tree: events that come as they happen are
  -- written side by side. A key that starts with the client or a random id stores five times fewer events a
  -- second. The key also makes the same message known; a client's events are found by the instants in
  -- daily_activity.
  occurred_at INTEGER NOT NULL,
  client_id BLOB NOT NULL,
  message_id TEXT NOT NULL,
  -- The client's own timestamp, before correction; occurred_at when it sent none. Part of what makes a message the
  -- same as another one.
  client_timestamp INTEGER NOT NULL,
  event_type TEXT NOT NULL,
  name TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  session_id TEXT,
  page_path TEXT,
  duration_seconds INTEGER,
  -- NULL when the sender sent nothing more.
  data TEXT,
  -- Sent by a browser or with the client's own token.
  self_told INTEGER NOT NULL DEFAULT 0 CHECK (self_told IN (0, 1)),
  PRIMARY KEY (organization_id, occurred_at, client_id, message_id, client_timestamp)
) STRICT, WITHOUT ROWID;

-- Events whose clock was corrected, by their own timestamps: the same message corrected by some other amount must
-- still be known as a duplicate.
CREATE TABLE event_moves (
  organization_id BLOB NOT NULL,
  client_timestamp INTEGER NOT NULL,
  client_id BLOB NOT NULL,
  message_id TEXT NOT NULL,
  PRIMARY KEY (organization_id, client_timestamp, client_id, message_id)
) STRICT, WITHOUT ROWID;

-- Messages that came without a timestamp of their own, by the UTC day they were received on: for a week they are
-- known by their id.
CREATE TABLE untimed_messages (
  organization_id BLOB NOT NULL,
  day INTEGER NOT NULL,
  client_id BLOB NOT NULL,
  message_id TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, day, client_id, message_id)
) STRICT, WITHOUT ROWID;

-- Who did an event, for those that a person did for a client: by these an event moves to another client when a
-- membership arrives late.
CREATE TABLE person_events (
  organization_id BLOB NOT NULL,
  person_id TEXT NOT NULL,
  occurred_at INTEGER NOT NULL,
  message_id TEXT NOT NULL,
  client_timestamp INTEGER NOT NULL,
  -- No foreign key, as for events.
  client_id BLOB NOT NULL,
  -- Whether the client follows from the person's memberships; else the message named it.
  by_membership INTEGER NOT NULL CHECK (by_membership IN (0, 1)),
  PRIMARY KEY (organization_id, person_id, occurred_at, message_id, client_timestamp)
) STRICT, WITHOUT ROWID;
CREATE INDEX person_events_by_client ON person_events (organization_id, client_id);

-- Events of people who belong to no client yet.
CREATE TABLE waiting_events (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  person_id TEXT NOT NULL,
  -- 0 for a message without a timestamp.
  client_timestamp INTEGER NOT NULL,
  message_id TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  event TEXT NOT NULL,
  PRIMARY KEY (organization_id, person_id, client_timestamp, message_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX waiting_events_by_time ON waiting_events (organization_id, received_at);

-- The latest events that were refused, for whoever connects an app: few a second and a few hundred in all,
-- whatever is sent.
CREATE TABLE refused_events (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  id BLOB NOT NULL,
  at INTEGER NOT NULL,
  field TEXT NOT NULL,
  reason TEXT NOT NULL,
  -- The beginning of what was sent, without what looks like a secret.
  body TEXT NOT NULL,
  -- How many more were refused in the same second and not kept.
  more INTEGER NOT NULL,
  PRIMARY KEY (organization_id, id)
) STRICT, WITHOUT ROWID;

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
  -- When each of the events happened: ten hexadecimal digits an event, in no order, of the microseconds since the
  -- day before began in UTC (so that no zone makes them negative).
  instants TEXT NOT NULL,
  PRIMARY KEY (organization_id, day, part, client_id, event_type)
) STRICT, WITHOUT ROWID;

-- How many events each part of a day has: the rows of a part grow with every event, and what is added to is
-- written again.
CREATE TABLE activity_parts (
  organization_id BLOB NOT NULL,
  day INTEGER NOT NULL,
  part INTEGER NOT NULL,
  events INTEGER NOT NULL,
  PRIMARY KEY (organization_id, day, part)
) STRICT, WITHOUT ROWID;

-- What is rolled up from events that came a few at a time, until it is gathered into daily_activity: put in place
-- at once, it would rewrite a page for almost every event.
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

-- What daily_activity says up to organizations.folded_until, so that no figure needs to read it.
CREATE TABLE client_activity_totals (
  organization_id BLOB NOT NULL,
  client_id BLOB NOT NULL,
  content_generated INTEGER NOT NULL,
  visuals_created INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  -- The latest active days, as days since 1970-01-01.
  active_days TEXT NOT NULL,
  PRIMARY KEY (organization_id, client_id)
) STRICT, WITHOUT ROWID;

-- Which hours brought events with which key, to notice that the app behind a key has fallen silent. Kept for some
-- weeks only, and written once a second, not for every event.
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

-- When no client at all sends events, the events are missing rather than the clients: one notice, and the alerts
-- that such a silence opens are held until events come again.
CREATE TABLE data_silences (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  -- The last event before it.
  since INTEGER NOT NULL,
  noticed_at INTEGER NOT NULL,
  ended_at INTEGER,
  -- Where only part of the data is silent: how many clients came when it was noticed, and how many usually do.
  -- NULL where no event came at all.
  clients INTEGER,
  usual_clients INTEGER,
  PRIMARY KEY (organization_id, since)
) STRICT, WITHOUT ROWID;
-- At most one at a time, whatever runs at the same time.
CREATE UNIQUE INDEX one_open_data_silence ON data_silences (organization_id) WHERE ended_at IS NULL;

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

-- Scores.

CREATE TABLE score_models (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  version INTEGER NOT NULL,
  model TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, version)
) STRICT;

CREATE TABLE client_success_scores (
  organization_id BLOB NOT NULL,
  -- Calendar day of as_of in the organization's time zone: one score a client and day.
  day INTEGER NOT NULL,
  client_id BLOB NOT NULL,
  as_of INTEGER NOT NULL,
  overall INTEGER NOT NULL,
  engagement INTEGER NOT NULL,
  activation INTEGER NOT NULL,
  progress INTEGER NOT NULL,
  satisfaction INTEGER NOT NULL,
  momentum INTEGER NOT NULL,
  coverage INTEGER NOT NULL,
  previous INTEGER,
  previous_as_of INTEGER,
  change INTEGER,
  trend TEXT NOT NULL,
  model_version INTEGER NOT NULL,
  -- What the score was computed from: with the model of that version, all of its evidence.
  inputs TEXT NOT NULL,
  computed_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, day, client_id)
) STRICT, WITHOUT ROWID;

-- The days that have scores, to step from one to the next without searching.
CREATE TABLE score_days (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  day INTEGER NOT NULL,
  -- The latest instant that a score of the day is for, so that a run learns from one row that no score is
  -- later than what was seen to, without looking at each.
  latest_as_of INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (organization_id, day)
) STRICT, WITHOUT ROWID;

-- Clients of whom something late arrived: their stored scores after `since` are computed again.
CREATE TABLE stale_scores (
  organization_id BLOB NOT NULL,
  client_id BLOB NOT NULL,
  since INTEGER NOT NULL,
  PRIMARY KEY (organization_id, client_id)
) STRICT, WITHOUT ROWID;

-- Which clients' standing in the portfolio changed, in the order of the changes: ranges of ids, one row a range,
-- so that a score run leaves a row for thousands of clients. Whoever keeps the portfolio in memory reads on from
-- the last version that it knows; old rows are dropped.
CREATE TABLE portfolio_changes (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  version INTEGER NOT NULL,
  low BLOB NOT NULL,
  high BLOB NOT NULL,
  PRIMARY KEY (organization_id, version)
) STRICT, WITHOUT ROWID;

-- Insights.

CREATE TABLE client_insights (
  organization_id BLOB NOT NULL,
  client_id BLOB NOT NULL,
  -- Last local day of the period that it is about.
  period INTEGER NOT NULL,
  -- The rule that wrote it; running a period twice changes nothing.
  rule TEXT NOT NULL,
  id BLOB NOT NULL,
  insight_type TEXT NOT NULL,
  priority TEXT NOT NULL,
  status TEXT NOT NULL,
  title TEXT NOT NULL,
  message TEXT NOT NULL,
  figures TEXT NOT NULL,
  evidence TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  valid_until INTEGER NOT NULL,
  PRIMARY KEY (organization_id, client_id, period, rule),
  UNIQUE (organization_id, id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
) STRICT;

-- Alerts, and what staff do about them.

CREATE TABLE client_momentum_alerts (
  organization_id BLOB NOT NULL,
  id BLOB NOT NULL,
  client_id BLOB NOT NULL,
  alert_type TEXT NOT NULL,
  severity TEXT NOT NULL,
  status TEXT NOT NULL,
  message TEXT NOT NULL,
  figures TEXT NOT NULL,
  -- The score when the alert opened and the one it was compared with: what recovery is measured by. The figures
  -- follow the score while the alert is open.
  score_then INTEGER,
  score_before INTEGER,
  opened_at INTEGER NOT NULL,
  changed_at INTEGER NOT NULL,
  snoozed_until INTEGER,
  -- While set, the alert is open and nobody is notified of it: the data are silent.
  held_at INTEGER,
  -- When the silence of the data that held it had ended.
  released_at INTEGER,
  ended_at INTEGER,
  -- How it ended by itself. NULL while it is open, and when a member ended it.
  ending TEXT,
  -- While NULL the condition that opened it still holds, even when a member has ended the alert.
  condition_ended_at INTEGER,
  -- When the client had recovered, if it did in time.
  recovered_at INTEGER,
  PRIMARY KEY (organization_id, id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
) STRICT;
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
  organization_id BLOB NOT NULL,
  alert_id BLOB NOT NULL,
  id BLOB NOT NULL,
  at INTEGER NOT NULL,
  action TEXT NOT NULL,
  member_id BLOB,
  note TEXT NOT NULL,
  PRIMARY KEY (organization_id, alert_id, id),
  FOREIGN KEY (organization_id, alert_id) REFERENCES client_momentum_alerts (organization_id, id) ON DELETE CASCADE
) STRICT;
-- A day's changes, for the daily digest.
CREATE INDEX alert_actions_by_time ON alert_actions (organization_id, at);

-- Changes of alerts that are not turned into messages yet: written with the change, and turned all together when
-- the health check that made them is done.
CREATE TABLE alert_news (
  organization_id BLOB NOT NULL,
  id BLOB NOT NULL,
  alert_id BLOB NOT NULL,
  change TEXT NOT NULL,
  -- As it was at that moment.
  alert_type TEXT NOT NULL,
  severity TEXT NOT NULL,
  message TEXT NOT NULL,
  -- Whether nobody is notified of it while the data are silent.
  held INTEGER NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, id),
  FOREIGN KEY (organization_id, alert_id) REFERENCES client_momentum_alerts (organization_id, id) ON DELETE CASCADE
) STRICT;

-- What follows from an alert or a change of the band, as the organization decided.
CREATE TABLE playbooks (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  id BLOB NOT NULL,
  enabled INTEGER NOT NULL,
  -- Name, trigger and actions.
  playbook TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  changed_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, id)
) STRICT;

CREATE TABLE playbook_runs (
  organization_id BLOB NOT NULL,
  id BLOB NOT NULL,
  -- No foreign key, and the name as it was: what a playbook did stays when it is deleted.
  playbook_id BLOB NOT NULL,
  name TEXT NOT NULL,
  client_id BLOB NOT NULL,
  -- What started it: an alert, or the band of the score of a local day. No foreign key: what was done stays.
  alert_id BLOB,
  day INTEGER,
  band_from TEXT,
  band_to TEXT,
  found_at INTEGER NOT NULL,
  -- Whether it waits for a person, because the playbook would act for so many clients at once; otherwise a run
  -- that has not started waits for data that are missing.
  needs_approval INTEGER NOT NULL DEFAULT 0 CHECK (needs_approval IN (0, 1)),
  -- NULL while it waits.
  started_at INTEGER,
  -- What became of the actions that leave no row of their own.
  deeds TEXT NOT NULL,
  recovered_at INTEGER,
  PRIMARY KEY (organization_id, id),
  CHECK ((alert_id IS NULL) <> (day IS NULL)),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
) STRICT;
-- Once an episode, and once a client and day, whatever runs at the same time.
CREATE UNIQUE INDEX one_run_an_episode ON playbook_runs (organization_id, playbook_id, alert_id) WHERE alert_id IS NOT NULL;
CREATE UNIQUE INDEX one_run_a_day ON playbook_runs (organization_id, playbook_id, client_id, day) WHERE day IS NOT NULL;
CREATE INDEX runs_by_alert ON playbook_runs (organization_id, alert_id) WHERE alert_id IS NOT NULL;
CREATE INDEX runs_by_client ON playbook_runs (organization_id, client_id, id);
CREATE INDEX runs_by_playbook ON playbook_runs (organization_id, playbook_id, found_at);
CREATE INDEX waiting_runs ON playbook_runs (organization_id, client_id) WHERE started_at IS NULL;

-- What staff are to do for a client. Not a task of the client's own: those are onboarding_tasks.
CREATE TABLE staff_tasks (
  organization_id BLOB NOT NULL,
  id BLOB NOT NULL,
  client_id BLOB NOT NULL,
  -- No foreign key, as with a client's owner: removing a member unassigns its tasks.
  owner_member_id BLOB,
  title TEXT NOT NULL,
  text TEXT NOT NULL,
  -- A day of the organization's calendar; the task is late when that day is over.
  due_on INTEGER NOT NULL,
  state TEXT NOT NULL,
  -- What led to it; no foreign keys, since the task outlives them.
  alert_id BLOB,
  playbook_run_id BLOB,
  created_by BLOB,
  created_at INTEGER NOT NULL,
  finished_by BLOB,
  finished_at INTEGER,
  PRIMARY KEY (organization_id, id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX staff_tasks_by_due ON staff_tasks (organization_id, state, due_on, id);
CREATE INDEX staff_tasks_by_client ON staff_tasks (organization_id, client_id);
CREATE INDEX staff_tasks_by_alert ON staff_tasks (organization_id, alert_id) WHERE alert_id IS NOT NULL;
CREATE INDEX staff_tasks_by_run ON staff_tasks (organization_id, playbook_run_id) WHERE playbook_run_id IS NOT NULL;

-- Emails to clients: an outbox. Each row is written with what caused it, and a sender takes it from there.

CREATE TABLE client_success_emails (
  organization_id BLOB NOT NULL,
  id BLOB NOT NULL,
  client_id BLOB NOT NULL,
  email_type TEXT NOT NULL,
  -- Last local day of the period; at most one email of a type a client and period.
  period INTEGER NOT NULL,
  state TEXT NOT NULL,
  -- Why it is not sent, or not yet.
  reason TEXT,
  address TEXT NOT NULL,
  -- Names the email in its links; random. A link names the email's id too, so nothing is looked up by this.
  token BLOB NOT NULL,
  subject TEXT NOT NULL,
  -- What it says, from which its text and HTML are made.
  content TEXT NOT NULL,
  -- The rendered email, compressed, from when it is queued until it is sent.
  body BLOB,
  attempts INTEGER NOT NULL,
  -- Not before this.
  due_at INTEGER NOT NULL,
  sending_since INTEGER,
  created_at INTEGER NOT NULL,
  sent_at INTEGER,
  opened_at INTEGER,
  clicked_at INTEGER,
  PRIMARY KEY (organization_id, id),
  UNIQUE (organization_id, client_id, email_type, period),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX emails_to_send ON client_success_emails (organization_id, due_at) WHERE state IN ('queued', 'sending');

-- Opens and clicks. No figure depends on them.
CREATE TABLE email_events (
  organization_id BLOB NOT NULL,
  email_id BLOB NOT NULL,
  id BLOB NOT NULL,
  kind TEXT NOT NULL,
  link INTEGER,
  at INTEGER NOT NULL,
  -- Whether a program rather than a person seems to have done it.
  suspected INTEGER NOT NULL,
  PRIMARY KEY (organization_id, email_id, id),
  FOREIGN KEY (organization_id, email_id) REFERENCES client_success_emails (organization_id, id) ON DELETE CASCADE
) STRICT;

-- What an organization decides about its emails.
CREATE TABLE email_settings (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  settings TEXT NOT NULL,
  changed_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id)
) STRICT;

-- Who asked for emails, was asked whether it wants them, or wants no more.
CREATE TABLE email_subscriptions (
  organization_id BLOB NOT NULL,
  client_id BLOB NOT NULL,
  state TEXT NOT NULL,
  address TEXT NOT NULL,
  source TEXT NOT NULL,
  changed_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, client_id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
) STRICT;

-- Each change of a subscription, for good: consent has to be shown with its time and source.
CREATE TABLE email_consents (
  organization_id BLOB NOT NULL,
  client_id BLOB NOT NULL,
  id BLOB NOT NULL,
  state TEXT NOT NULL,
  address TEXT NOT NULL,
  source TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, client_id, id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
) STRICT;

-- Addresses that a mail server refused for good.
CREATE TABLE email_suppressions (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  address TEXT NOT NULL,
  reason TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, address)
) STRICT;

-- Emails to one person about one thing that it asked for, or has to know: an outbox like that of the emails to
-- clients. A link that lets somebody in is not stored here: it is made when the email is sent.
CREATE TABLE transactional_emails (
  organization_id BLOB NOT NULL,
  id BLOB NOT NULL,
  kind TEXT NOT NULL,
  -- Whom it is for: a member or a client.
  member_id BLOB,
  client_id BLOB,
  address TEXT NOT NULL,
  -- At most one email has the same.
  dedup_key TEXT,
  subject TEXT NOT NULL,
  content TEXT NOT NULL,
  state TEXT NOT NULL,
  reason TEXT,
  attempts INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  -- It is not sent after this.
  expires_at INTEGER NOT NULL,
  sending_since INTEGER,
  created_at INTEGER NOT NULL,
  sent_at INTEGER,
  PRIMARY KEY (organization_id, id),
  UNIQUE (organization_id, dedup_key),
  CHECK ((member_id IS NULL) <> (client_id IS NULL)),
  FOREIGN KEY (organization_id, member_id) REFERENCES members (organization_id, id) ON DELETE CASCADE,
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX transactional_emails_to_send ON transactional_emails (organization_id, due_at) WHERE state IN ('queued', 'sending');
CREATE INDEX transactional_emails_by_client ON transactional_emails (organization_id, client_id) WHERE client_id IS NOT NULL;
CREATE INDEX transactional_emails_by_member ON transactional_emails (organization_id, member_id) WHERE member_id IS NOT NULL;

-- Notifications to staff.

-- What an organization decides about notifying its staff.
CREATE TABLE notification_settings (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  settings TEXT NOT NULL,
  changed_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id)
) STRICT;

-- Emails to staff: an outbox like that of the emails to clients.
CREATE TABLE staff_emails (
  organization_id BLOB NOT NULL,
  id BLOB NOT NULL,
  member_id BLOB NOT NULL,
  -- The local day that it is about; at most one email a member and day.
  day INTEGER NOT NULL,
  -- It covers changes until this instant, and the next one those from there on.
  told_until INTEGER NOT NULL,
  subject TEXT NOT NULL,
  content TEXT NOT NULL,
  state TEXT NOT NULL,
  reason TEXT,
  attempts INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  sending_since INTEGER,
  created_at INTEGER NOT NULL,
  sent_at INTEGER,
  PRIMARY KEY (organization_id, id),
  UNIQUE (organization_id, member_id, day),
  FOREIGN KEY (organization_id, member_id) REFERENCES members (organization_id, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX staff_emails_to_send ON staff_emails (organization_id, due_at) WHERE state IN ('queued', 'sending');

-- Where staff are notified of alerts, besides the pages here.
CREATE TABLE webhook_endpoints (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  id BLOB NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  url TEXT NOT NULL,
  -- What messages are signed with. Not a hash: signing takes the secret itself.
  secret TEXT NOT NULL,
  -- The secret before it, which counts until an instant.
  previous_secret TEXT,
  previous_until INTEGER,
  -- Which notifications go there.
  route TEXT NOT NULL,
  ignores_quiet_hours INTEGER NOT NULL,
  -- Why nothing is sent there; NULL while something is.
  disabled_reason TEXT,
  disabled_at INTEGER,
  -- Since when every attempt has failed.
  failing_since INTEGER,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, id)
) STRICT;

-- The outbox: one row for each message and endpoint. It keeps what is said, not the bytes.
CREATE TABLE webhook_messages (
  organization_id BLOB NOT NULL,
  id BLOB NOT NULL,
  endpoint_id BLOB NOT NULL,
  notice_type TEXT NOT NULL,
  -- The external id of the one client that it is about, to be deleted with that client.
  about_client TEXT,
  notice TEXT NOT NULL,
  state TEXT NOT NULL,
  -- Why it is not delivered, or not yet.
  reason TEXT,
  -- Whether somebody waits for it: quiet hours do not hold it.
  by_hand INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  -- Not before this.
  due_at INTEGER NOT NULL,
  -- Until when nobody else sends it, and which claim that is.
  lease_until INTEGER,
  fence INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  ended_at INTEGER,
  PRIMARY KEY (organization_id, id),
  FOREIGN KEY (organization_id, endpoint_id) REFERENCES webhook_endpoints (organization_id, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX webhook_messages_due ON webhook_messages (organization_id, endpoint_id, due_at) WHERE state = 'queued';
CREATE INDEX webhook_messages_by_endpoint ON webhook_messages (organization_id, endpoint_id, id);

-- Which alerts a message is about.
CREATE TABLE webhook_message_alerts (
  organization_id BLOB NOT NULL,
  alert_id BLOB NOT NULL,
  message_id BLOB NOT NULL,
  PRIMARY KEY (organization_id, alert_id, message_id),
  FOREIGN KEY (organization_id, alert_id) REFERENCES client_momentum_alerts (organization_id, id) ON DELETE CASCADE,
  FOREIGN KEY (organization_id, message_id) REFERENCES webhook_messages (organization_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX alerts_of_webhook_message ON webhook_message_alerts (organization_id, message_id);

-- Each time that a message was sent, and the result.
CREATE TABLE webhook_attempts (
  organization_id BLOB NOT NULL,
  message_id BLOB NOT NULL,
  id BLOB NOT NULL,
  at INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL,
  -- The status of the response; NULL when there was none.
  status INTEGER,
  -- The beginning of the response.
  response TEXT NOT NULL,
  -- Why it did not arrive; NULL when it did.
  error TEXT,
  PRIMARY KEY (organization_id, message_id, id),
  FOREIGN KEY (organization_id, message_id) REFERENCES webhook_messages (organization_id, id) ON DELETE CASCADE
) STRICT;
