CREATE TABLE clients (
  organization_id UUID NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  id UUID NOT NULL,
  external_id TEXT COLLATE "C" NOT NULL,
  name TEXT,
  email TEXT,
  plan TEXT,
  -- Segment's group: the account that a user belongs to.
  group_id TEXT,
  traits JSONB NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, id),
  UNIQUE (organization_id, external_id)
);

CREATE TABLE onboarding_tasks (
  organization_id UUID NOT NULL,
  client_id UUID NOT NULL,
  id UUID NOT NULL,
  title TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('pending', 'in_progress', 'completed', 'skipped', 'deleted')),
  created_at TIMESTAMPTZ NOT NULL,
  updated_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, client_id, id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
);

CREATE TABLE onboarding_task_changes (
  -- Every status a task had, so that a score of the past can be recomputed as it was.
  organization_id UUID NOT NULL,
  client_id UUID NOT NULL,
  task_id UUID NOT NULL,
  changed_at TIMESTAMPTZ NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('pending', 'in_progress', 'completed', 'skipped', 'deleted')),
  PRIMARY KEY (organization_id, client_id, task_id, changed_at),
  FOREIGN KEY (organization_id, client_id, task_id) REFERENCES onboarding_tasks (organization_id, client_id, id) ON DELETE CASCADE
);

CREATE TABLE launch_kits (
  organization_id UUID NOT NULL,
  client_id UUID NOT NULL,
  viewed_at TIMESTAMPTZ,
  completed_at TIMESTAMPTZ,
  PRIMARY KEY (organization_id, client_id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
);

CREATE TABLE client_feedback (
  organization_id UUID NOT NULL,
  client_id UUID NOT NULL,
  id UUID NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('stars', 'csat', 'nps', 'thumbs', 'percent')),
  rating BIGINT NOT NULL,
  -- The rating on a common scale, 0 to 100.
  normalised BIGINT NOT NULL CHECK (normalised BETWEEN 0 AND 100),
  comment TEXT,
  given_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (organization_id, client_id, id),
  FOREIGN KEY (organization_id, client_id) REFERENCES clients (organization_id, id) ON DELETE CASCADE
);
