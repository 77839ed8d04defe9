-- reviews.list_received: a page of the reviews received as a mentor, newest first.
-- $1 user_id text
-- $2 limit   bigint
-- $3 offset  bigint
-- returns total and items, a JSON array; no row without a mentor profile
SELECT
    (
        SELECT count(*)
        FROM reviews AS v
        WHERE v.mentor_id = profile.id
    ) AS total,
    (
        SELECT coalesce(json_agg(page.own), '[]')
        FROM (
            SELECT s.own
            FROM reviews AS v
            CROSS JOIN LATERAL review_json(v) AS s
            WHERE v.mentor_id = profile.id
            ORDER BY v.created_at DESC, v.id DESC
            LIMIT $2 OFFSET $3
        ) AS page
    ) AS items
FROM mentors AS profile
WHERE profile.user_id = $1;
