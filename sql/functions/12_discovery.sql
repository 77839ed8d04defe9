-- Finding mentors: filters.

-- What a language filter finds these languages by (RFC 4647, basic filtering): zh-Hans-CN is found
-- by itself, by zh-Hans and by zh.
CREATE OR REPLACE FUNCTION language_ranges(languages text[]) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT coalesce(array_agg(DISTINCT array_to_string(tag.parts[:n], '-')), '{}')
    FROM unnest(languages) AS l (tag)
    CROSS JOIN LATERAL string_to_array(l.tag, '-') AS tag (parts)
    CROSS JOIN LATERAL generate_series(1, cardinality(tag.parts)) AS n
$$;

-- The public mentors that have all words of a search and pass the filters, which have the names of
-- the API's parameters. `place` is the order of the matches, null without words.
CREATE OR REPLACE FUNCTION mentor_matches(words text[], filters jsonb)
RETURNS TABLE (id uuid, place bigint)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1000
AS $$
    WITH f AS MATERIALIZED (
        SELECT
            ARRAY(
                SELECT fold(e.value)
                FROM jsonb_array_elements_text(filters -> 'expertise') AS e
            ) AS expertise,
            coalesce((filters ->> 'minRating')::numeric, 0) AS min_rating,
            (filters ->> 'maxRate')::numeric AS max_rate,
            filters ->> 'currency' AS currency,
            filters ->> 'language' AS language,
            (filters ->> 'duration')::integer AS duration
    ),

    found AS MATERIALIZED (
        SELECT
            i.id,
            i.place
        FROM search_mentors(words, array_to_string(words, ' '), 1000000000, 0) AS s
        CROSS JOIN LATERAL unnest(s.ids) WITH ORDINALITY AS i (id, place)
        WHERE words <> '{}'
    )

    SELECT
        m.id,
        found.place
    FROM f
    INNER JOIN mentors AS m ON TRUE
    LEFT JOIN found ON found.id = m.id
    WHERE
        m.visibility = 'public'
        AND (words = '{}' OR found.id IS NOT NULL)
        AND string_to_array(m.search_expertise, E'\n') @> f.expertise
        AND coalesce(m.rating, 0) >= f.min_rating
        AND (f.max_rate IS NULL OR m.session_rate <= f.max_rate)
        AND (f.currency IS NULL OR m.session_currency = f.currency)
        AND (f.language IS NULL OR language_ranges(m.languages) @> ARRAY[f.language])
        AND (f.duration IS NULL OR m.session_duration = f.duration)
$$;
