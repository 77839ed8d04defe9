-- requests.cancel: cancel a pending request.
-- $1 request_id uuid
-- $2 user_id    text
-- returns body; no row when it is not pending, past, or not this mentee's
WITH changed AS (
    UPDATE requests
    SET status = 'cancelled'
    WHERE
        requests.id = $1
        AND requests.mentee_id = $2
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
