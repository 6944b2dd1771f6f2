-- Events keyed by UTC hour instead of UTC day. Batches come in the order of time: one that is spread
-- over a day's clients rewrites every page of the day's index, one that is spread over an hour's a
-- small part of them.
CREATE TABLE untimed_messages (
  -- Messages that came without a timestamp of their own, by the UTC day they were received on: for a
  -- week they are known by their id.
  organization_id UUID NOT NULL,
  day DATE NOT NULL,
  client_id UUID NOT NULL,
  message_id TEXT COLLATE "C" NOT NULL,
  received_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, day, client_id, message_id)
);

-- Whoever migrates owns the tables, but forced row-level security would hide their rows from it too.
ALTER TABLE client_engagement_events NO FORCE ROW LEVEL SECURITY;
ALTER TABLE event_moves NO FORCE ROW LEVEL SECURITY;

-- Which of the stored ones came without is not known: those that happened when they were received
-- may have.
INSERT INTO untimed_messages (organization_id, day, client_id, message_id, received_at)
SELECT organization_id, day, client_id, message_id, received_at FROM client_engagement_events
WHERE client_timestamp = occurred_at AND occurred_at = received_at
AND day >= (SELECT MAX(day) - 9 FROM client_engagement_events)
ON CONFLICT DO NOTHING;

-- UTC hour of occurred_at, in hours since 1970.
ALTER TABLE client_engagement_events ADD COLUMN hour BIGINT;
UPDATE client_engagement_events SET hour = floor(extract(epoch FROM occurred_at) / 3600)::bigint;
-- Takes the primary key with it.
ALTER TABLE client_engagement_events DROP COLUMN day;
ALTER TABLE client_engagement_events
  ADD PRIMARY KEY (organization_id, hour, client_id, message_id, client_timestamp);

-- Filed under another UTC hour than their own timestamp's.
DELETE FROM event_moves;
ALTER TABLE event_moves DROP COLUMN client_day;
ALTER TABLE event_moves ADD COLUMN client_hour BIGINT;
INSERT INTO event_moves (organization_id, client_hour, client_id, message_id, client_timestamp)
SELECT organization_id, floor(extract(epoch FROM client_timestamp) / 3600)::bigint, client_id,
  message_id, client_timestamp
FROM client_engagement_events
WHERE floor(extract(epoch FROM client_timestamp) / 3600)::bigint <> hour;
ALTER TABLE event_moves
  ADD PRIMARY KEY (organization_id, client_hour, client_id, message_id, client_timestamp);

ALTER TABLE client_engagement_events FORCE ROW LEVEL SECURITY;
ALTER TABLE event_moves FORCE ROW LEVEL SECURITY;

DO $$
DECLARE
  organization CONSTANT text := 'organization_id = NULLIF(current_setting(''mainstay.organization_id'', true), '''')::uuid';
  role CONSTANT text := 'current_setting(''mainstay.role'', true)';
BEGIN
  ALTER TABLE untimed_messages ENABLE ROW LEVEL SECURITY;
  ALTER TABLE untimed_messages FORCE ROW LEVEL SECURITY;
  GRANT SELECT, INSERT, UPDATE, DELETE ON untimed_messages TO mainstay_app;
  EXECUTE format('CREATE POLICY system ON untimed_messages USING (%s = ''system'')', role);
  EXECUTE format('CREATE POLICY service ON untimed_messages USING (%s = ''service'' AND %s)', role, organization);
  EXECUTE format('CREATE POLICY member_read ON untimed_messages FOR SELECT USING (%s IN (''owner'', ''admin'', ''staff'') AND %s)', role, organization);
END $$;
