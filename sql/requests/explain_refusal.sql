-- requests.explain_refusal: why requests.create made no request.
-- $1 mentor_id  uuid
-- $2 mentee_id  text
-- $3 start_time timestamptz
-- returns to_self, past, pending and paused, the reasons; no row when there is no such public
-- mentor
SELECT
    m.user_id = $2 AS to_self,
    $3 <= now() AS past,
    exists(
        SELECT
        FROM requests AS r
        WHERE
            r.mentor_id = m.id
            AND r.mentee_id = $2
            AND r.status = 'pending'
            AND r.start_time > now()
    ) AS pending,
    NOT m.accepting_requests AS paused
FROM mentors AS m
WHERE m.id = $1 AND m.visibility = 'public';
