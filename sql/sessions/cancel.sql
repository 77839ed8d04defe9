-- sessions.cancel: either party cancels a session.
-- $1 session_id uuid
-- $2 user_id    text
-- $3 reason     text
-- returns body; no row when the session has begun, when it is too late for a mentee by the mentor's
-- policy, or when the session is in another state or not this user's
WITH mentor AS MATERIALIZED (
    SELECT
        m.id,
        CASE
            WHEN m.user_id = $2 THEN interval '0'
            ELSE make_interval(hours => m.cancel_cutoff_hours)
        END AS cutoff
    FROM bookings AS b
    INNER JOIN mentors AS m ON m.id = b.mentor_id
    WHERE b.id = $1 AND $2 IN (b.mentee_id, m.user_id)
    FOR NO KEY UPDATE OF m
),

changed AS (
    UPDATE bookings
    SET status = 'cancelled', cancellation_reason = $3, cancelled_by = $2
    FROM mentor
    WHERE
        bookings.id = $1
        AND bookings.mentor_id = mentor.id
        AND bookings.status IN ('pending', 'confirmed', 'rescheduled')
        AND bookings.start_time > now()
        AND bookings.start_time >= now() + mentor.cutoff
    RETURNING bookings AS b, act_for($2) AS actor
)

SELECT s.body
FROM changed
CROSS JOIN LATERAL session_json(changed.b, NULL) AS s;
