-- requests.count_pending: how many requests wait for this user's answer as a mentor.
-- $1 user_id text
-- returns pending
SELECT count(*) AS pending
FROM requests AS r
INNER JOIN mentors AS m ON m.id = r.mentor_id
WHERE m.user_id = $1 AND r.status = 'pending' AND r.start_time > now();
