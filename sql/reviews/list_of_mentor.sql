-- reviews.list_of_mentor: a page of the reviews of a public mentor, newest first.
-- $1 mentor_id uuid
-- $2 limit     bigint
-- $3 offset    bigint
-- returns total and items, a JSON array; no row when there is no such public mentor
SELECT
    m.review_count AS total,
    (
        SELECT coalesce(json_agg(page.body), '[]')
        FROM (
            SELECT s.body
            FROM reviews AS v
            CROSS JOIN LATERAL review_json(v) AS s
            WHERE v.mentor_id = m.id
            ORDER BY v.created_at DESC, v.id DESC
            LIMIT $2 OFFSET $3
        ) AS page
    ) AS items
FROM mentors AS m
WHERE m.id = $1 AND m.visibility = 'public';
