-- An older version does not go on with a change of the zone: wait until none is under way.
ALTER TABLE organizations DROP COLUMN zone_change_folded;
ALTER TABLE organizations DROP COLUMN zone_change_client;
ALTER TABLE organizations DROP COLUMN zone_change_part;
ALTER TABLE organizations DROP COLUMN zone_change_day;
ALTER TABLE organizations DROP COLUMN zone_change_phase;
ALTER TABLE organizations DROP COLUMN zone_change_since;
