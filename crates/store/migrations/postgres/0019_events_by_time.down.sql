ALTER TABLE client_engagement_events NO FORCE ROW LEVEL SECURITY;
ALTER TABLE event_moves NO FORCE ROW LEVEL SECURITY;
ALTER TABLE daily_activity NO FORCE ROW LEVEL SECURITY;
ALTER TABLE pending_activity NO FORCE ROW LEVEL SECURITY;

-- Nothing may be left beside its place.
CREATE TEMPORARY TABLE activity_together AS
SELECT organization_id, day, client_id, event_type, SUM(event_count)::bigint AS event_count,
  MAX(last_at) AS last_at FROM (
  SELECT organization_id, day, client_id, event_type, event_count, last_at FROM daily_activity
  UNION ALL
  SELECT organization_id, day, client_id, event_type, event_count, last_at FROM pending_activity) AS all_of_it
GROUP BY organization_id, day, client_id, event_type;
DELETE FROM daily_activity;
-- Takes the primary key with it.
ALTER TABLE daily_activity DROP COLUMN part;
ALTER TABLE daily_activity DROP COLUMN instants;
ALTER TABLE daily_activity ADD PRIMARY KEY (organization_id, day, client_id, event_type);
INSERT INTO daily_activity (organization_id, day, client_id, event_type, event_count, last_at)
SELECT organization_id, day, client_id, event_type, event_count, last_at FROM activity_together;
DROP TABLE activity_together;
DROP TABLE activity_parts;
DROP TABLE pending_activity;

ALTER TABLE client_engagement_events ADD COLUMN hour BIGINT;
UPDATE client_engagement_events SET hour = floor(extract(epoch FROM occurred_at) / 3600)::bigint;
ALTER TABLE client_engagement_events DROP CONSTRAINT client_engagement_events_pkey;
ALTER TABLE client_engagement_events
  ADD PRIMARY KEY (organization_id, hour, client_id, message_id, client_timestamp);

DELETE FROM event_moves;
ALTER TABLE event_moves DROP CONSTRAINT event_moves_pkey;
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
ALTER TABLE daily_activity FORCE ROW LEVEL SECURITY;
