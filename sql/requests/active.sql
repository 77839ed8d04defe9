-- requests.active: a mentee's requests that hold a mentor's time or may come to, soonest first.
-- $1 mentor_id uuid
-- $2 mentee_id text
-- $3 limit     bigint
-- $4 offset    bigint
-- returns total and items, a JSON array; no row when there is no such mentor
WITH active AS (
    SELECT
        r.id,
        r.start_time
    FROM requests AS r
    LEFT JOIN bookings AS b ON b.id = r.booking_id
    WHERE
        r.mentor_id = $1
        AND r.mentee_id = $2
        AND (r.status = 'pending' OR (r.status = 'accepted' AND b.live))
)

SELECT
    (
        SELECT count(*)
        FROM active
    ) AS total,
    (
        SELECT coalesce(json_agg(page.body), '[]')
        FROM (
            SELECT l.body
            FROM active
            INNER JOIN request_list AS l ON l.id = active.id
            ORDER BY active.start_time, active.id
            LIMIT $3 OFFSET $4
        ) AS page
    ) AS items
FROM mentors AS m
WHERE m.id = $1;
