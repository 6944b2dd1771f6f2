ALTER TABLE client_engagement_events NO FORCE ROW LEVEL SECURITY;
ALTER TABLE event_moves NO FORCE ROW LEVEL SECURITY;

ALTER TABLE client_engagement_events ADD COLUMN day DATE;
UPDATE client_engagement_events SET day = DATE '1970-01-01' + (hour / 24)::int;
ALTER TABLE client_engagement_events DROP COLUMN hour;
ALTER TABLE client_engagement_events
  ADD PRIMARY KEY (organization_id, day, client_id, message_id, client_timestamp);

DELETE FROM event_moves;
ALTER TABLE event_moves DROP COLUMN client_hour;
ALTER TABLE event_moves ADD COLUMN client_day DATE;
INSERT INTO event_moves (organization_id, client_day, client_id, message_id, client_timestamp)
SELECT organization_id, (client_timestamp AT TIME ZONE 'UTC')::date, client_id, message_id,
  client_timestamp
FROM client_engagement_events
WHERE (client_timestamp AT TIME ZONE 'UTC')::date <> day;
ALTER TABLE event_moves
  ADD PRIMARY KEY (organization_id, client_day, client_id, message_id, client_timestamp);

ALTER TABLE client_engagement_events FORCE ROW LEVEL SECURITY;
ALTER TABLE event_moves FORCE ROW LEVEL SECURITY;

DROP TABLE untimed_messages;
