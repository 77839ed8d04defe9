-- availability.list_overrides: the overrides of a mentor from today on.
-- $1 user_id text
-- $2 limit   bigint
-- $3 offset  bigint
-- returns total and items, a JSON array; no row without a profile
WITH coming AS (
    SELECT
        o.day,
        s.body
    FROM mentors AS m
    INNER JOIN availability_overrides AS o
        ON
            o.mentor_id = m.id
            AND o.day >= (now() AT TIME ZONE m.availability_timezone)::date
    CROSS JOIN LATERAL override_json(o) AS s
    WHERE m.user_id = $1
)

SELECT
    (
        SELECT count(*)
        FROM coming
    ) AS total,
    (
        SELECT coalesce(json_agg(page.body), '[]')
        FROM (
            SELECT coming.body
            FROM coming
            ORDER BY coming.day
            LIMIT $2 OFFSET $3
        ) AS page
    ) AS items
FROM mentors AS m
WHERE m.user_id = $1;
