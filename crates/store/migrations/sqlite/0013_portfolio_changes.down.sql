DROP INDEX ended_alerts;
DROP TABLE portfolio_changes;
