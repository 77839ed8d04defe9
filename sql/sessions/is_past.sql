-- sessions.is_past: whether an instant has passed, by the database's clock.
-- $1 instant timestamptz
-- returns past
SELECT $1 <= now() AS past;
