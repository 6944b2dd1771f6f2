-- Apart from members: staff may list members, nobody needs to read their passwords' hashes.
CREATE TABLE member_passwords (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  member_id BLOB NOT NULL,
  -- Argon2id with its parameters and salt, as a PHC string.
  hash TEXT NOT NULL,
  changed_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, member_id),
  FOREIGN KEY (organization_id, member_id) REFERENCES members (organization_id, id) ON DELETE CASCADE
) STRICT;

CREATE TABLE sessions (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  -- SHA-256 of the cookie's value, which is not stored.
  hash BLOB NOT NULL,
  member_id BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  used_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, hash),
  FOREIGN KEY (organization_id, member_id) REFERENCES members (organization_id, id) ON DELETE CASCADE
) STRICT;

CREATE TABLE sign_in_links (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  -- SHA-256 of the link's secret, which is shown once and never stored.
  hash BLOB NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('setup', 'invitation', 'reset', 'choice')),
  -- Whom it lets in; nobody yet for the link that makes the first owner.
  member_id BLOB,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  used_at INTEGER,
  PRIMARY KEY (organization_id, hash),
  FOREIGN KEY (organization_id, member_id) REFERENCES members (organization_id, id) ON DELETE CASCADE,
  CHECK ((kind = 'setup') = (member_id IS NULL))
) STRICT;

-- Sites of the organization that may show its clients' pages in a frame and use the widgets.
CREATE TABLE allowed_sites (
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  origin TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, origin)
) STRICT;

-- Whoever signs in names no organization. Not unique, for the same reason as api_keys_by_hash.
CREATE INDEX members_by_email ON members (email);
CREATE INDEX sessions_by_hash ON sessions (hash);
CREATE INDEX sessions_by_member ON sessions (organization_id, member_id);
CREATE INDEX sign_in_links_by_hash ON sign_in_links (hash);
