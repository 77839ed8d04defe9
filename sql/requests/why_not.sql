-- requests.why_not: what a request is and who is asking, after an action did not find its row.
-- $1 request_id uuid
-- $2 user_id    text
-- returns status, expired, is_mentor, is_mentee; no row when there is no such request
SELECT
    r.status,
    r.expired,
    m.user_id = $2 AS is_mentor,
    r.mentee_id = $2 AS is_mentee
FROM requests AS r
INNER JOIN mentors AS m ON m.id = r.mentor_id
WHERE r.id = $1;
