-- mentors.facets: how many mentors that match have each expertise, language and currency.
-- $1 words   text[]
-- $2 filters jsonb
-- returns body, with 50 of each at most
WITH matches AS MATERIALIZED (
    SELECT
        m.id,
        m.expertise,
        string_to_array(m.search_expertise, E'\n') AS folded,
        m.languages,
        m.session_currency
    FROM mentor_matches($1::text[], $2::jsonb) AS x
    INNER JOIN mentors AS m ON m.id = x.id
),

facets AS (
    -- One entry for all spellings of an expertise, which shows the most frequent spelling.
    SELECT
        'expertise' AS facet,
        mode() WITHIN GROUP (ORDER BY e.value) AS value,
        count(DISTINCT m.id) AS mentors
    FROM matches AS m
    CROSS JOIN LATERAL unnest(m.expertise, m.folded) AS e (value, folded)
    GROUP BY e.folded
    UNION ALL
    SELECT
        'languages' AS facet,
        r.value,
        count(*) AS mentors
    FROM matches AS m
    CROSS JOIN LATERAL unnest(language_ranges(m.languages)) AS r (value)
    GROUP BY r.value
    HAVING bool_or(m.languages @> ARRAY[r.value])
    UNION ALL
    SELECT
        'currencies' AS facet,
        m.session_currency,
        count(*) AS mentors
    FROM matches AS m
    GROUP BY m.session_currency
),

entries AS (
    SELECT
        facet,
        json_build_object('value', value, 'count', mentors) AS entry,
        row_number() OVER (
            PARTITION BY facet
            ORDER BY mentors DESC, value ASC
        ) AS place
    FROM facets
)

SELECT
    json_build_object(
        'expertise',
        coalesce(json_agg(entry ORDER BY place) FILTER (WHERE facet = 'expertise'), '[]'),
        'languages',
        coalesce(json_agg(entry ORDER BY place) FILTER (WHERE facet = 'languages'), '[]'),
        'currencies',
        coalesce(json_agg(entry ORDER BY place) FILTER (WHERE facet = 'currencies'), '[]')
    ) AS body
FROM entries
WHERE place <= 50;
