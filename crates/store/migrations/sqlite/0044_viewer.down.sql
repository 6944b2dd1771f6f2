-- Removes every viewer, as removing a member does: an older version has no role that changes nothing. To
-- keep them, give them another role first.
UPDATE clients SET owner_member_id = NULL
WHERE EXISTS (SELECT 1 FROM members m WHERE m.organization_id = clients.organization_id
  AND m.id = clients.owner_member_id AND m.role = 'viewer');
UPDATE staff_tasks SET owner_member_id = NULL
WHERE state = 'open' AND EXISTS (SELECT 1 FROM members m WHERE m.organization_id = staff_tasks.organization_id
  AND m.id = staff_tasks.owner_member_id AND m.role = 'viewer');
DELETE FROM members WHERE role = 'viewer';

ALTER TABLE members ADD COLUMN role_without_viewer TEXT NOT NULL DEFAULT 'staff' CHECK (role_without_viewer IN ('owner', 'admin', 'staff'));
UPDATE members SET role_without_viewer = role;
ALTER TABLE members DROP COLUMN role;
ALTER TABLE members RENAME COLUMN role_without_viewer TO role;
