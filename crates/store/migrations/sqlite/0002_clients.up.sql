CREATE TABLE clients (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  id BLOB NOT NULL,
  external_id TEXT NOT NULL,
  name TEXT,
  email TEXT,
  plan TEXT,
  -- Segment's group: the account that a user belongs to.
  group_id TEXT,
  traits TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, id),
  UNIQUE (organization_id, external_id)
) STRICT;

CREATE TABLE onboarding_tasks (
  organization_id BLOB NOT NULL,
  client_id BLOB NOT NULL,
  id BLOB NOT NULL,
  title TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('pending', 'in_progress', 'completed', 'skipped', 'deleted')),
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, client_id, id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
) STRICT;

CREATE TABLE onboarding_task_changes (
  -- Every status a task had, so that a score of the past can be recomputed as it was.
  organization_id BLOB NOT NULL,
  client_id BLOB NOT NULL,
  task_id BLOB NOT NULL,
  changed_at INTEGER NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('pending', 'in_progress', 'completed', 'skipped', 'deleted')),
  PRIMARY KEY (organization_id, client_id, task_id, changed_at),
  FOREIGN KEY (organization_id, client_id, task_id) REFERENCES onboarding_tasks (organization_id, client_id, id) ON DELETE CASCADE
) STRICT;

CREATE TABLE launch_kits (
  organization_id BLOB NOT NULL,
  client_id BLOB NOT NULL,
  viewed_at INTEGER,
  completed_at INTEGER,
  PRIMARY KEY (organization_id, client_id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
) STRICT;

CREATE TABLE client_feedback (
  organization_id BLOB NOT NULL,
  client_id BLOB NOT NULL,
  id BLOB NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('stars', 'csat', 'nps', 'thumbs', 'percent')),
  rating INTEGER NOT NULL,
  -- The rating on a common scale, 0 to 100.
  normalised INTEGER NOT NULL CHECK (normalised BETWEEN 0 AND 100),
  comment TEXT,
  given_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, client_id, id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
) STRICT;
