-- sessions.sweep: move sessions on as time passes, a batch at a time.
-- $1 batch_size bigint
-- returns moved, how many there were
WITH due AS (
    -- A row that somebody has locked is skipped: the next round finds it. The mentor is locked as
    -- in every other change of a session, so that no two of them wait for each other.
    SELECT
        b.id,
        b.end_time + interval '15 minutes' <= now() AS over
    FROM bookings AS b
    INNER JOIN mentors AS m ON m.id = b.mentor_id
    WHERE
        b.live
        AND b.start_time <= now()
        AND (
            (b.status IN ('confirmed', 'rescheduled') AND b.end_time > now())
            OR (
                b.status IN ('confirmed', 'rescheduled', 'in_progress')
                AND b.end_time + interval '15 minutes' <= now()
            )
        )
    ORDER BY b.start_time
    LIMIT $1
    FOR NO KEY UPDATE SKIP LOCKED
),

moved AS (
    UPDATE bookings
    SET status = CASE WHEN due.over THEN 'pending_completion' ELSE 'in_progress' END
    FROM due
    WHERE bookings.id = due.id
    RETURNING bookings.id, set_config('mentorapi.actor', 'sweep', TRUE)
)

SELECT count(*) AS moved
FROM moved;
