DROP TABLE client_activity_totals;
DROP TABLE daily_activity;
DROP TABLE event_moves;
DROP TABLE client_engagement_events;
