DROP TABLE alert_actions;
DROP TABLE client_momentum_alerts;
