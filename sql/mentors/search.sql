-- mentors.search: a page of the public mentors that pass filters and have each word of a search.
-- $1 q       text
-- $2 filters jsonb
-- $3 sort    text
-- $4 limit   bigint
-- $5 offset  bigint
-- returns total and items, a JSON array of mentor cards; `sort` is best, rate or newest
SELECT
    found.total,
    (
        SELECT coalesce(json_agg(l.body ORDER BY page.place), '[]')
        FROM unnest(found.ids) WITH ORDINALITY AS page (id, place)
        INNER JOIN mentor_list AS l ON l.id = page.id
    ) AS items
FROM search_mentors($1::text, $2::jsonb, $3::text, $4, $5) AS found;
