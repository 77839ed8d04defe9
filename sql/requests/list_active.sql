-- requests.list_active: a mentee's active requests to a mentor, soonest first.
-- Pending requests are active, and accepted ones whose session is live: these have its times.
-- $1 mentor_id uuid
-- $2 mentee_id text
-- $3 limit     bigint
-- $4 offset    bigint
-- returns total and items, a JSON array; no row when there is no such mentor, or a private one to
-- whom this mentee has no request
WITH active AS (
    SELECT
        r,
        b,
        r.id,
        coalesce(b.start_time, r.start_time) AS start_time,
        coalesce(b.end_time, r.end_time) AS end_time
    FROM requests AS r
    LEFT JOIN bookings AS b ON b.id = r.booking_id
    WHERE
        r.mentor_id = $1
        AND r.mentee_id = $2
        AND (
            (r.status = 'pending' AND r.start_time > now())
            OR (r.status = 'accepted' AND b.live)
        )
)

SELECT
    (
        SELECT count(*)
        FROM active
    ) AS total,
    (
        SELECT coalesce(json_agg(page.body), '[]')
        FROM (
            SELECT s.body
            FROM active
            CROSS JOIN
                LATERAL request_json(
                    active.r, active.b, active.start_time, active.end_time
                ) AS s
            ORDER BY active.start_time, active.id
            LIMIT $3 OFFSET $4
        ) AS page
    ) AS items
FROM mentors AS m
WHERE
    m.id = $1
    AND (
        m.visibility = 'public'
        OR EXISTS (
            SELECT
            FROM requests AS r
            WHERE r.mentor_id = m.id AND r.mentee_id = $2
        )
    );
