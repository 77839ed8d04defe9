-- mentors.filter: a page of the public mentors that pass filters, perhaps of a search, sorted.
-- $1 words   text[]
-- $2 filters jsonb
-- $3 sort    text
-- $4 limit   bigint
-- $5 offset  bigint
-- returns total and items, a JSON array of mentor cards; `sort` is best, rate or newest
WITH matches AS MATERIALIZED (
    SELECT
        id,
        place
    FROM mentor_matches($1::text[], $2::jsonb)
)

SELECT
    (
        SELECT count(*)
        FROM matches
    ) AS total,
    (
        SELECT coalesce(json_agg(page.body), '[]')
        FROM (
            SELECT card.body
            FROM matches AS x
            INNER JOIN mentors AS m ON m.id = x.id
            CROSS JOIN LATERAL mentor_card(m) AS card
            ORDER BY
                CASE WHEN $3::text = 'best' THEN x.place END ASC,
                CASE WHEN $3::text = 'rate' THEN m.session_rate END ASC,
                CASE WHEN $3::text = 'newest' THEN m.created_at END DESC,
                m.rating DESC NULLS LAST,
                m.review_count DESC,
                m.total_sessions DESC,
                m.id ASC
            LIMIT $4 OFFSET $5
        ) AS page
    ) AS items;
