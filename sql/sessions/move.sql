-- sessions.move: bring a session from one of these states into the next one.
-- mentorapi/transitions.py says for each action the party, the states and the next state.
-- $1 session_id uuid
-- $2 user_id    text
-- $3 party      text
-- $4 states     text[]
-- $5 next_state text
-- $6 after_end  boolean
-- returns body; no row when the user is not this party ('mentor' or 'mentee'), when the session is
-- in another state, or when it must be over and is not
WITH mentor AS MATERIALIZED (
    -- Every change of a session locks the mentor first, so that no two of them deadlock.
    SELECT m.id
    FROM bookings AS b
    INNER JOIN mentors AS m ON m.id = b.mentor_id
    WHERE b.id = $1 AND $2 = CASE $3 WHEN 'mentor' THEN m.user_id ELSE b.mentee_id END
    FOR NO KEY UPDATE OF m
),

changed AS (
    UPDATE bookings
    SET status = $5
    FROM mentor
    WHERE
        bookings.id = $1
        AND bookings.mentor_id = mentor.id
        AND bookings.status = any($4)
        AND (NOT $6 OR bookings.end_time <= now())
    RETURNING bookings AS b, act_for($2) AS actor
)

SELECT s.body
FROM changed
CROSS JOIN LATERAL session_json(changed.b, NULL) AS s;
