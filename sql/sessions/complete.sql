-- sessions.complete: the mentor says that a session took place.
-- $1 session_id uuid
-- $2 user_id    text
-- returns body; no row when it is not under way, not over, or not this mentor's
WITH mentor AS MATERIALIZED (
    SELECT
        m.id,
        m.user_id
    FROM bookings AS b
    INNER JOIN mentors AS m ON m.id = b.mentor_id
    WHERE b.id = $1 AND m.user_id = $2
    FOR NO KEY UPDATE OF m
),

changed AS (
    UPDATE bookings
    SET status = 'pending_completion'
    FROM mentor
    WHERE
        bookings.id = $1
        AND bookings.mentor_id = mentor.id
        AND bookings.status IN ('confirmed', 'rescheduled', 'in_progress')
        AND bookings.end_time <= now()
    RETURNING bookings AS b, act_for($2) AS actor
)

SELECT s.body
FROM changed
CROSS JOIN LATERAL session_shape(changed.b, NULL) AS s;
