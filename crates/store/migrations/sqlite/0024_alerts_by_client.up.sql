-- Merging and deleting a client look for its alerts, ended ones too; without this they read all of the
-- organization's.
CREATE INDEX alerts_by_client ON client_momentum_alerts (organization_id, client_id);
