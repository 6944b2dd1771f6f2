-- Which clients' standing in the portfolio changed, in the order of the changes: stretches of ids, one
-- row a stretch, so that a score run leaves a row for thousands of clients. Whoever keeps the portfolio
-- in memory reads on from the last version that it knows; old rows are dropped.
CREATE TABLE portfolio_changes (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  version INTEGER NOT NULL,
  low BLOB NOT NULL,
  high BLOB NOT NULL,
  PRIMARY KEY (organization_id, version)
) STRICT, WITHOUT ROWID;

CREATE INDEX ended_alerts ON client_momentum_alerts (organization_id, ended_at, id) WHERE ended_at IS NOT NULL;
