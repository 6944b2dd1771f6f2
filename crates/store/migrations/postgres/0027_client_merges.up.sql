-- Merges of two clients: a queue of what is yet to be done, and what it takes to undo what was done.
CREATE TABLE client_merges (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  id UUID NOT NULL,
  -- Counts up: merges are done in the order in which they were asked for.
  number BIGINT NOT NULL,
  -- The id that is given up, and of the client that stays, as they were asked for.
  previous_id TEXT COLLATE "C" NOT NULL,
  into_id TEXT COLLATE "C" NOT NULL,
  -- No foreign keys: the one client is gone when the merge is done, the other may be merged later.
  previous_client UUID,
  client_id UUID NOT NULL,
  -- Since when the client that stays had existed before.
  client_since TIMESTAMPTZ,
  state TEXT NOT NULL
    CHECK (state IN ('waiting', 'merging', 'done', 'undoing', 'undone', 'settled', 'failed')),
  -- Events that were moved so far.
  events BIGINT NOT NULL,
  -- The member who asked; NULL is a secret key.
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
  -- moved: it lives on with the client that stays. deleted: it is kept only here. before, after: of the
  -- client that stays, around the merge.
  kind TEXT NOT NULL CHECK (kind IN ('moved', 'deleted', 'before', 'after')),
  -- As an SQL literal of this database; of rows that are kept here, a number.
  row_key TEXT COLLATE "C" NOT NULL,
  -- Columns as SQL literals of this database, in a JSON object.
  content TEXT,
  PRIMARY KEY (organization_id, merge_id, table_name, kind, row_key),
  FOREIGN KEY (organization_id, merge_id) REFERENCES client_merges (organization_id, id) ON DELETE CASCADE
);

DO $$
DECLARE
  organization CONSTANT text := 'organization_id = NULLIF(current_setting(''mainstay.organization_id'', true), '''')::uuid';
  role CONSTANT text := 'current_setting(''mainstay.role'', true)';
  tenant_table text;
BEGIN
  FOREACH tenant_table IN ARRAY ARRAY['client_merges', 'client_merge_events', 'client_merge_rows'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO mainstay_app', tenant_table);
    EXECUTE format('CREATE POLICY system ON %I USING (%s = ''system'')', tenant_table, role);
    EXECUTE format('CREATE POLICY service ON %I USING (%s = ''service'' AND %s)', tenant_table, role, organization);
  END LOOP;
  -- Staff see that clients were merged; what is kept for an undo is nobody's to read.
  EXECUTE format('CREATE POLICY member_read ON client_merges FOR SELECT USING (%s IN (''owner'', ''admin'', ''staff'') AND %s)', role, organization);
END $$;
