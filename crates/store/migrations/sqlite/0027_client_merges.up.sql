-- Merges of two clients: a queue of what is yet to be done, and what it takes to undo what was done.
CREATE TABLE client_merges (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  id BLOB NOT NULL,
  -- Counts up: merges are done in the order in which they were asked for.
  number INTEGER NOT NULL,
  -- The id that is given up, and of the client that stays, as they were asked for.
  previous_id TEXT NOT NULL,
  into_id TEXT NOT NULL,
  -- No foreign keys: the one client is gone when the merge is done, the other may be merged later.
  previous_client BLOB,
  client_id BLOB NOT NULL,
  -- Since when the client that stays had existed before.
  client_since INTEGER,
  state TEXT NOT NULL
    CHECK (state IN ('waiting', 'merging', 'done', 'undoing', 'undone', 'settled', 'failed')),
  -- Events that were moved so far.
  events INTEGER NOT NULL,
  -- The member who asked; NULL is a secret key.
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
  -- moved: it lives on with the client that stays. deleted: it is kept only here. before, after: of the
  -- client that stays, around the merge.
  kind TEXT NOT NULL CHECK (kind IN ('moved', 'deleted', 'before', 'after')),
  -- As an SQL literal of this database; of rows that are kept here, a number.
  row_key TEXT NOT NULL,
  -- Columns as SQL literals of this database, in a JSON object.
  content TEXT,
  PRIMARY KEY (organization_id, merge_id, table_name, kind, row_key),
  FOREIGN KEY (organization_id, merge_id) REFERENCES client_merges (organization_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
