-- reviews.list_given: a page of the reviews given as a mentee, newest first.
-- $1 user_id text
-- $2 limit   bigint
-- $3 offset  bigint
-- returns total and items, a JSON array
-- Not one statement with reviews.list_received: each reads its page from an index in order.
SELECT
    (
        SELECT count(*)
        FROM reviews AS v
        WHERE v.mentee_id = $1
    ) AS total,
    (
        SELECT coalesce(json_agg(page.own), '[]')
        FROM (
            SELECT s.own
            FROM reviews AS v
            CROSS JOIN LATERAL review_json(v) AS s
            WHERE v.mentee_id = $1
            ORDER BY v.created_at DESC, v.id DESC
            LIMIT $2 OFFSET $3
        ) AS page
    ) AS items;
