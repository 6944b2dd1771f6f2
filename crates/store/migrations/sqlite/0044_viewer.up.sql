-- A role that sees what staff see and changes nothing of the organization. SQLite cannot change a CHECK, and
-- dropping the table would delete what refers to its rows, so the column is made anew.
ALTER TABLE members ADD COLUMN role_or_viewer TEXT NOT NULL DEFAULT 'viewer' CHECK (role_or_viewer IN ('owner', 'admin', 'staff', 'viewer'));
UPDATE members SET role_or_viewer = role;
ALTER TABLE members DROP COLUMN role;
ALTER TABLE members RENAME COLUMN role_or_viewer TO role;
