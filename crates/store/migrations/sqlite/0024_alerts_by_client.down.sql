DROP INDEX alerts_by_client;
