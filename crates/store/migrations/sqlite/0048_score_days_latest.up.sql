-- The latest instant that a score of the day is for, so that a run learns from one row that no score is
-- later than what was seen to, without looking at each.
ALTER TABLE score_days ADD COLUMN latest_as_of INTEGER NOT NULL DEFAULT 0;
UPDATE score_days SET latest_as_of = COALESCE((SELECT MAX(s.as_of) FROM client_success_scores s
  WHERE s.organization_id = score_days.organization_id AND s.day = score_days.day), 0);
