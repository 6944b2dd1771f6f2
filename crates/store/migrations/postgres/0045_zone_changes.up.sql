-- A change of the time zone that is under way: what is rolled up is moved to the days of the new zone a
-- few rows at a time. Since when; NULL when none is.
ALTER TABLE organizations ADD COLUMN zone_change_since TIMESTAMPTZ;
-- 'totals' while the totals of the old days are deleted, 'days' while rows are moved, 'folding' while days
-- are folded again.
ALTER TABLE organizations ADD COLUMN zone_change_phase TEXT;
-- Rows up to this one are moved: the day, its part, and the client in it.
ALTER TABLE organizations ADD COLUMN zone_change_day DATE;
ALTER TABLE organizations ADD COLUMN zone_change_part INTEGER;
ALTER TABLE organizations ADD COLUMN zone_change_client UUID;
-- Up to which day the activity was folded before.
ALTER TABLE organizations ADD COLUMN zone_change_folded DATE;
