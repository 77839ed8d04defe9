-- sessions.sweep: move due sessions on, a batch at a time.
-- $1 batch_size bigint
-- returns moved, how many there were
WITH due AS (
    -- A locked row is skipped: the next round finds it. Every change of a session locks the mentor
    -- first, so that no two of them deadlock.
    SELECT
        d.id,
        d.next_status
    FROM due_sessions AS d
    INNER JOIN mentors AS m ON m.id = d.mentor_id
    ORDER BY d.start_time
    LIMIT $1
    FOR NO KEY UPDATE SKIP LOCKED
),

moved AS (
    UPDATE bookings
    SET status = due.next_status
    FROM due
    WHERE bookings.id = due.id
    RETURNING bookings.id, set_config('mentorapi.actor', 'sweep', TRUE)
)

SELECT count(*) AS moved
FROM moved;
