DROP TABLE client_insights;
