CREATE TABLE client_momentum_alerts (
  organization_id BLOB NOT NULL,
  id BLOB NOT NULL,
  client_id BLOB NOT NULL,
  alert_type TEXT NOT NULL CHECK (alert_type IN ('inactivity', 'zero_activity', 'task_stalled', 'score_drop', 'churn_risk', 'needs_attention')),
  severity TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
  status TEXT NOT NULL CHECK (status IN ('active', 'acknowledged', 'snoozed', 'resolved', 'dismissed')),
  message TEXT NOT NULL,
  figures TEXT NOT NULL,
  opened_at INTEGER NOT NULL,
  changed_at INTEGER NOT NULL,
  snoozed_until INTEGER,
  ended_at INTEGER,
  -- While NULL the condition that opened it still holds, even when a member has ended the alert.
  condition_ended_at INTEGER,
  PRIMARY KEY (organization_id, id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
) STRICT;

CREATE TABLE alert_actions (
  -- Who did what with an alert, and when; member_id is NULL for the health check and secret keys.
  organization_id BLOB NOT NULL,
  alert_id BLOB NOT NULL,
  id BLOB NOT NULL,
  at INTEGER NOT NULL,
  action TEXT NOT NULL,
  member_id BLOB,
  note TEXT NOT NULL,
  PRIMARY KEY (organization_id, alert_id, id),
  FOREIGN KEY (organization_id, alert_id) REFERENCES client_momentum_alerts (organization_id, id) ON DELETE CASCADE
) STRICT;

-- An episode: at most one open a client and type, whatever runs at the same time.
CREATE UNIQUE INDEX one_open_alert ON client_momentum_alerts (organization_id, client_id, alert_type)
  WHERE status IN ('active', 'acknowledged', 'snoozed');

CREATE INDEX live_alerts ON client_momentum_alerts (organization_id, client_id) WHERE condition_ended_at IS NULL;
