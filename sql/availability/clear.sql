-- availability.clear: drop all weekly windows of a mentor.
-- $1 mentor_id uuid
-- returns nothing
DELETE FROM availability_windows
WHERE mentor_id = $1;
