-- sessions.reschedule: the mentor moves a session.
-- $1 session_id uuid
-- $2 user_id    text
-- $3 start_time timestamptz
-- $4 end_time   timestamptz
-- returns body; no row when the session has begun, is in another state or is another mentor's, or
-- when the new time has passed
WITH mentor AS MATERIALIZED (
    SELECT m.id
    FROM bookings AS b
    INNER JOIN mentors AS m ON m.id = b.mentor_id
    WHERE b.id = $1 AND m.user_id = $2
    FOR NO KEY UPDATE OF m
),

changed AS (
    UPDATE bookings
    SET status = 'rescheduled', start_time = $3, end_time = $4
    FROM mentor
    WHERE
        bookings.id = $1
        AND bookings.mentor_id = mentor.id
        AND bookings.status IN ('confirmed', 'rescheduled')
        AND bookings.start_time > now()
        AND $3 > now()
    RETURNING bookings AS b, act_for($2) AS actor
)

SELECT s.body
FROM changed
CROSS JOIN LATERAL session_json(changed.b, NULL) AS s;
