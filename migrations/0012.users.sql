-- A server remembers the claims of users. A change of a user is an event, too, so that every server
-- learns of it. `user_id` is then the changed user.
-- depends: 0011.earlier

-- The table is locked while its rows are checked, a second for some millions. Nothing writes
-- meanwhile (docs/upgrading.md).
-- squawk-ignore-file

ALTER TABLE events
DROP CONSTRAINT events_stale,
ADD CONSTRAINT events_stale CHECK (stale IN ('nothing', 'mentor', 'lists', 'user', 'all'));
