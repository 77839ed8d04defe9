-- mentors.search: a page of the public mentors with each word of a search, or a similar word.
-- $1 words  text[]
-- $2 phrase text
-- $3 limit  bigint
-- $4 offset bigint
-- returns total and items, a JSON array of mentor cards, best matches first
SELECT
    found.total,
    (
        SELECT coalesce(json_agg(l.body ORDER BY page.place), '[]')
        FROM unnest(found.ids) WITH ORDINALITY AS page (id, place)
        INNER JOIN mentor_list AS l ON l.id = page.id
    ) AS items
FROM search_mentors($1::text[], $2::text, $3, $4) AS found;
