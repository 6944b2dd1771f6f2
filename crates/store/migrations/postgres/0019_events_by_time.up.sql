-- Events keyed by when they happened instead of by UTC hour and client, so that those that come in
-- small batches as they happen are written side by side. Ordered by client within the hour, a batch of
-- eight hundred rewrote eight hundred pages of a busy hour's index. A client's events are found by the
-- instants that its daily activity now remembers.

-- Whoever migrates owns the tables, but forced row-level security would hide their rows from it too.
ALTER TABLE client_engagement_events NO FORCE ROW LEVEL SECURITY;
ALTER TABLE event_moves NO FORCE ROW LEVEL SECURITY;
ALTER TABLE daily_activity NO FORCE ROW LEVEL SECURITY;

-- Takes the primary key with it.
ALTER TABLE client_engagement_events DROP COLUMN hour;
ALTER TABLE client_engagement_events
  ADD PRIMARY KEY (organization_id, occurred_at, client_id, message_id, client_timestamp);

-- Events whose clock was corrected, by what they said themselves.
DELETE FROM event_moves;
ALTER TABLE event_moves DROP COLUMN client_hour;
ALTER TABLE event_moves ADD PRIMARY KEY (organization_id, client_timestamp, client_id, message_id);
INSERT INTO event_moves (organization_id, client_timestamp, client_id, message_id)
SELECT organization_id, client_timestamp, client_id, message_id FROM client_engagement_events
WHERE client_timestamp <> occurred_at;

-- When each of the events happened: ten hexadecimal digits an event, in no order, of the microseconds
-- since the day before began in UTC (so that no zone makes them negative).
ALTER TABLE daily_activity ADD COLUMN instants TEXT COLLATE "C" NOT NULL DEFAULT '';
-- Of one client and type, the events of a day are those up to the day's last and after the last of the
-- day before: so that nothing here need know a time zone.
CREATE INDEX days_of_clients
  ON daily_activity (organization_id, client_id, event_type, last_at, day);
UPDATE daily_activity a SET instants = known.instants
FROM (SELECT organization_id, day, client_id, event_type,
    string_agg(lpad(to_hex((extract(epoch FROM occurred_at - (day - 1)::timestamp AT TIME ZONE 'UTC')
      * 1000000)::bigint), 10, '0'), '') AS instants
  FROM (SELECT e.organization_id, e.client_id, e.event_type, e.occurred_at,
    (SELECT d.day FROM daily_activity d WHERE d.organization_id = e.organization_id
     AND d.client_id = e.client_id AND d.event_type = e.event_type AND d.last_at >= e.occurred_at
     ORDER BY d.last_at LIMIT 1) AS day
    FROM client_engagement_events e) AS placed
  WHERE day IS NOT NULL
  GROUP BY organization_id, day, client_id, event_type) AS known
WHERE a.organization_id = known.organization_id AND a.day = known.day
AND a.client_id = known.client_id AND a.event_type = known.event_type;
DROP INDEX days_of_clients;
ALTER TABLE daily_activity ALTER COLUMN instants DROP DEFAULT;

-- 0, and on days with more events than are kept together also those in activity_parts.
ALTER TABLE daily_activity ADD COLUMN part INTEGER NOT NULL DEFAULT 0;
ALTER TABLE daily_activity ALTER COLUMN part DROP DEFAULT;
ALTER TABLE daily_activity DROP CONSTRAINT daily_activity_pkey;
ALTER TABLE daily_activity ADD PRIMARY KEY (organization_id, day, part, client_id, event_type);

ALTER TABLE client_engagement_events FORCE ROW LEVEL SECURITY;
ALTER TABLE event_moves FORCE ROW LEVEL SECURITY;
ALTER TABLE daily_activity FORCE ROW LEVEL SECURITY;

-- What is rolled up from events that came a few at a time, until it is gathered into daily_activity:
-- put in place at once, it would rewrite a page for almost every event.
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

-- How many events each part of a day has taken: the rows of a part grow with every event, and what is
-- added to is written again.
CREATE TABLE activity_parts (
  organization_id UUID NOT NULL,
  day DATE NOT NULL,
  part INTEGER NOT NULL,
  events BIGINT NOT NULL,
  PRIMARY KEY (organization_id, day, part)
);

DO $$
DECLARE
  organization CONSTANT text := 'organization_id = NULLIF(current_setting(''mainstay.organization_id'', true), '''')::uuid';
  own CONSTANT text := 'client_id = NULLIF(current_setting(''mainstay.client_id'', true), '''')::uuid';
  role CONSTANT text := 'current_setting(''mainstay.role'', true)';
BEGIN
  ALTER TABLE pending_activity ENABLE ROW LEVEL SECURITY;
  ALTER TABLE pending_activity FORCE ROW LEVEL SECURITY;
  GRANT SELECT, INSERT, UPDATE, DELETE ON pending_activity TO mainstay_app;
  EXECUTE format('CREATE POLICY system ON pending_activity USING (%s = ''system'')', role);
  EXECUTE format('CREATE POLICY service ON pending_activity USING (%s = ''service'' AND %s)', role, organization);
  EXECUTE format('CREATE POLICY member_read ON pending_activity FOR SELECT USING (%s IN (''owner'', ''admin'', ''staff'') AND %s)', role, organization);
  EXECUTE format('CREATE POLICY client_read ON pending_activity FOR SELECT USING (%s = ''client'' AND %s AND %s)', role, organization, own);

  ALTER TABLE activity_parts ENABLE ROW LEVEL SECURITY;
  ALTER TABLE activity_parts FORCE ROW LEVEL SECURITY;
  GRANT SELECT, INSERT, UPDATE, DELETE ON activity_parts TO mainstay_app;
  EXECUTE format('CREATE POLICY system ON activity_parts USING (%s = ''system'')', role);
  EXECUTE format('CREATE POLICY service ON activity_parts USING (%s = ''service'' AND %s)', role, organization);
  EXECUTE format('CREATE POLICY reader ON activity_parts FOR SELECT USING (%s IN (''owner'', ''admin'', ''staff'', ''client'') AND %s)', role, organization);
END $$;
