DROP TABLE refused_events;
