DROP TABLE stale_scores;
DROP TABLE score_days;
DROP TABLE client_success_scores;
