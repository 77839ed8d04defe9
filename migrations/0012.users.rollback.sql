-- What servers remember of users does not outlive them.
DELETE FROM events
WHERE stale = 'user';

ALTER TABLE events
DROP CONSTRAINT events_stale,
ADD CONSTRAINT events_stale CHECK (stale IN ('nothing', 'mentor', 'lists', 'all'));
