-- availability.list_time_off: the time off of a mentor that is not over, soonest first.
-- $1 user_id text
-- $2 limit   bigint
-- $3 offset  bigint
-- returns total and items, a JSON array; no row without a profile
WITH coming AS (
    SELECT
        t.id,
        t.starts_at,
        time_off_json(t) AS body
    FROM mentors AS m
    INNER JOIN time_off AS t ON t.mentor_id = m.id AND t.ends_at > now()
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
            ORDER BY coming.starts_at, coming.id
            LIMIT $2 OFFSET $3
        ) AS page
    ) AS items
FROM mentors AS m
WHERE m.user_id = $1;
