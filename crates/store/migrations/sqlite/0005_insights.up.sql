CREATE TABLE client_insights (
  organization_id BLOB NOT NULL,
  client_id BLOB NOT NULL,
  -- Last local day of the period that it speaks of.
  period INTEGER NOT NULL,
  -- The rule that wrote it; running a period twice changes nothing.
  rule TEXT NOT NULL,
  id BLOB NOT NULL,
  insight_type TEXT NOT NULL CHECK (insight_type IN ('weekly_summary', 'achievement', 'recommendation', 'milestone', 'trend_alert', 'tip')),
  priority TEXT NOT NULL CHECK (priority IN ('low', 'normal', 'high')),
  status TEXT NOT NULL CHECK (status IN ('unread', 'read', 'acted_on', 'dismissed')),
  title TEXT NOT NULL,
  message TEXT NOT NULL,
  figures TEXT NOT NULL,
  evidence TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  valid_until INTEGER NOT NULL,
  PRIMARY KEY (organization_id, client_id, period, rule),
  UNIQUE (organization_id, id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
) STRICT;
