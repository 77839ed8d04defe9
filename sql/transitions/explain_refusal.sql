-- transitions.explain_refusal: why a statement did not change a request or a session.
-- $1 request_id uuid
-- $2 session_id uuid
-- $3 user_id    text
-- returns status, before_start, is_mentor and is_mentee; no row when there is no such request or
-- session.
-- One of the two ids is null.
WITH subject AS (
    SELECT
        r.mentor_id,
        r.mentee_id,
        -- The result is the same before and after the sweep has ended an overdue request.
        CASE WHEN r.expired THEN 'pending' ELSE r.status END AS status,
        r.start_time > now() AS before_start
    FROM requests AS r
    WHERE r.id = $1
    UNION ALL
    SELECT
        b.mentor_id,
        b.mentee_id,
        b.status,
        b.start_time > now() AS before_start
    FROM bookings AS b
    WHERE b.id = $2
)

SELECT
    subject.status,
    subject.before_start,
    m.user_id = $3 AS is_mentor,
    subject.mentee_id = $3 AS is_mentee
FROM subject
INNER JOIN mentors AS m ON m.id = subject.mentor_id;
