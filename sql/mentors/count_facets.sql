-- mentors.count_facets: how many mentors that match have each expertise, language and currency.
-- $1 q       text
-- $2 filters jsonb
-- returns body, with 50 of each at most
WITH matches AS MATERIALIZED (
    SELECT
        block,
        mentors
    FROM search_matches($1::text, $2::jsonb)
),

-- The first line of a word is what a filter asks for, the second is what profiles show.
counted AS (
    SELECT
        k.field,
        k.key,
        sum(bit_count(k.mentors)) AS mentors
    FROM (
        SELECT
            p.field,
            split_part(p.word, E'\n', 1) AS key,
            p.block,
            bit_or(p.mentors & m.mentors) AS mentors,
            bool_or(
                split_part(p.word, E'\n', 2) = split_part(p.word, E'\n', 1)
                AND (p.mentors & m.mentors) <> search_no_mentors()
            ) AS is_shown
        FROM search_bitmaps AS p
        INNER JOIN matches AS m ON m.block = p.block
        WHERE p.field IN ('expertise', 'language', 'currency')
        GROUP BY p.field, key, p.block
    ) AS k
    GROUP BY k.field, k.key
    -- A range such as zh is no language of a mentor who has zh-Hans.
    HAVING sum(bit_count(k.mentors)) > 0 AND (k.field <> 'language' OR bool_or(k.is_shown))
),

entries AS (
    SELECT
        c.field,
        c.mentors,
        coalesce(s.spelling, c.key) AS value
    FROM (
        SELECT
            field,
            key,
            mentors,
            row_number() OVER (PARTITION BY field ORDER BY mentors DESC, key ASC) AS place
        FROM counted
    ) AS c
    -- One entry for all spellings of an expertise, which shows the most frequent one.
    LEFT JOIN LATERAL (
        SELECT split_part(p.word, E'\n', 2) AS spelling
        FROM search_bitmaps AS p
        INNER JOIN matches AS m ON m.block = p.block
        WHERE
            p.field = 'expertise'
            AND p.word BETWEEN c.key || E'\n' AND c.key || E'\n' || U&'\+10FFFF'
        GROUP BY p.word
        ORDER BY sum(bit_count(p.mentors & m.mentors)) DESC, p.word ASC
        LIMIT 1
    ) AS s ON c.field = 'expertise'
    WHERE c.place <= 50
),

facets AS (
    SELECT
        field,
        json_agg(
            json_build_object('value', value, 'count', mentors) ORDER BY mentors DESC, value ASC
        ) AS list
    FROM entries
    GROUP BY field
)

SELECT
    json_build_object(
        'expertise', coalesce(max(list::text) FILTER (WHERE field = 'expertise'), '[]')::json,
        'languages', coalesce(max(list::text) FILTER (WHERE field = 'language'), '[]')::json,
        'currencies', coalesce(max(list::text) FILTER (WHERE field = 'currency'), '[]')::json
    ) AS body
FROM facets;
