-- requests.reject: reject a pending request.
-- $1 request_id uuid
-- $2 user_id    text
-- $3 reason     text
-- returns body; no row when it is not pending, past, or not this mentor's
WITH changed AS (
    UPDATE requests
    SET status = 'rejected', rejection_reason = $3
    FROM mentors
    WHERE
        requests.id = $1
        AND mentors.id = requests.mentor_id
        AND mentors.user_id = $2
        AND requests.status = 'pending'
        AND requests.start_time > now()
    RETURNING requests AS r, act_for($2) AS actor
)

SELECT s.body
FROM changed
CROSS JOIN
    LATERAL request_json(
        changed.r, NULL, (changed.r).start_time, (changed.r).end_time
    ) AS s;
