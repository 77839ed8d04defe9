-- sessions.why_not: what a session is and who is asking, after an action did not find its row.
-- $1 session_id uuid
-- $2 user_id    text
-- returns status, is_mentor, is_mentee; no row when there is no such session
SELECT
    b.status,
    m.user_id = $2 AS is_mentor,
    b.mentee_id = $2 AS is_mentee
FROM bookings AS b
INNER JOIN mentors AS m ON m.id = b.mentor_id
WHERE b.id = $1;
