-- What an organization changed about when its jobs run; the others run as built in.
CREATE TABLE job_schedules (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  job TEXT NOT NULL,
  cron TEXT NOT NULL,
  -- Nothing that was due before is made up for.
  changed_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, job)
) STRICT;

-- Each period of a job once. Names of jobs are the code's: a new one needs no migration.
CREATE TABLE job_runs (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  id BLOB NOT NULL,
  job TEXT NOT NULL,
  period INTEGER NOT NULL,
  -- Whether the schedule asked for it, rather than a person.
  scheduled INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'succeeded', 'failed')),
  attempts INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  -- Counts up with every claim: whoever holds an older one has lost the run and writes nothing more.
  fence INTEGER NOT NULL,
  holder TEXT,
  lease_until INTEGER,
  step TEXT,
  done INTEGER NOT NULL,
  total INTEGER NOT NULL,
  counts TEXT NOT NULL,
  error TEXT,
  created_at INTEGER NOT NULL,
  started_at INTEGER,
  finished_at INTEGER,
  PRIMARY KEY (organization_id, id),
  UNIQUE (organization_id, job, period)
) STRICT;
CREATE INDEX open_job_runs ON job_runs (organization_id) WHERE finished_at IS NULL;
