-- mentors.search: a page of the public mentors who have each word of a search, or one like it.
-- $1 words  text[]
-- $2 phrase text
-- $3 limit  bigint
-- $4 offset bigint
-- returns total and items, a JSON array of mentor cards
--
-- Best first: by where the phrase stands, then by how alike the words are, then as in the list.
WITH meant AS MATERIALIZED (
    SELECT
        asked.place,
        meaning.word,
        meaning.likeness,
        meaning.exact
    FROM unnest($1::text[]) WITH ORDINALITY AS asked (word, place)
    CROSS JOIN LATERAL search_meaning(asked.word) AS meaning
),

phrase AS MATERIALIZED (
    SELECT containing($2::text) AS pattern
),

-- How well each mentor answers each word, by the best of its meanings.
answers AS (
    SELECT
        m.id,
        m.rating,
        m.review_count,
        m.total_sessions,
        bool_or(meant.exact) AS exact,
        max(meant.likeness) AS likeness,
        CASE
            WHEN m.search_name LIKE phrase.pattern THEN 4
            WHEN m.search_expertise LIKE phrase.pattern THEN 3
            WHEN m.search_headline LIKE phrase.pattern THEN 2
        END AS field
    FROM meant
    INNER JOIN mentors AS m ON m.search_words @> ARRAY[meant.word]
    CROSS JOIN phrase
    WHERE m.visibility = 'public'
    GROUP BY m.id, meant.place, phrase.pattern
),

ranked AS MATERIALIZED (
    SELECT
        id,
        rating,
        review_count,
        total_sessions,
        coalesce(field, bool_and(exact)::integer) AS field,
        avg(likeness) AS likeness
    FROM answers
    GROUP BY id, rating, review_count, total_sessions, field
    HAVING count(*) = cardinality($1::text[])
),

page AS (
    SELECT
        best.id,
        row_number() OVER () AS place
    FROM (
        SELECT id
        FROM ranked
        ORDER BY
            field DESC,
            likeness DESC,
            rating DESC NULLS LAST,
            review_count DESC,
            total_sessions DESC,
            id ASC
        LIMIT $3 OFFSET $4
    ) AS best
)

SELECT
    (
        SELECT count(*)
        FROM ranked
    ) AS total,
    (
        SELECT coalesce(json_agg(l.body ORDER BY page.place), '[]')
        FROM page
        INNER JOIN mentor_list AS l ON l.id = page.id
    ) AS items;
