-- How a search for mentors runs, with filters and counts. 09_search.sql explains the tables.
--
-- search_mentors() is the entry point; sql/mentors/search.sql calls it.
--
-- 1. search_filter() intersects the bitmaps of the filters.
-- 2. search_meaning() finds, for each word of the search, the words of the vocabulary that it may
--    mean: the same word, those that begin with it, those that contain it, and those that differ by
--    one typing error.
-- 3. search_tiers() unites their bitmaps, one for each tier. The tier says how good the match is.
--    Of several words, the one that matches worst decides the tier of a mentor. A search with a
--    compound such as `front-end` is read in three ways, and the best one counts.
-- 4. search_page() takes the tiers from the best one down until the page is full. Equal matches
--    stand in the order of the list of mentors.
--
-- sql/mentors/count_facets.sql counts the bits of all matches in the bitmaps of the filters.

-- The numbers of the mentors in a bitmap of all blocks. In its text, each 1 ends a run of zeros.
CREATE OR REPLACE FUNCTION search_numbers(mentors varbit) RETURNS TABLE (number integer)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 100
AS $$
    SELECT (sum(length(zeros.run) + 1) OVER (ORDER BY zeros.place) - 1)::integer
    FROM string_to_table(mentors::text, '1') WITH ORDINALITY AS zeros (run, place)
    WHERE zeros.place <= bit_count(mentors)
$$;

-- Appends bit strings.
CREATE OR REPLACE AGGREGATE bit_concat (bits varbit)(
    sfunc = bitcat,
    stype = varbit,
    parallel = safe
);

-- The words of profiles that a folded word of a search may mean, and how: 4 the same word, 3 one
-- that begins with it, 2 one that contains it, 1 one of four letters or more that differs by one
-- typing error. At most 5,000, the best and the shortest first, since each of them is looked up.
-- A single letter means itself and the entries for letters that search_terms() keeps.
CREATE OR REPLACE FUNCTION search_meaning(asked text) RETURNS TABLE (word text, kind integer)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    WITH a AS MATERIALIZED (
        SELECT
            -- Any word that contains `asked` has these keys: its parts of three letters, or itself.
            array_agg(substr(asked, i, 3))
            FILTER (WHERE i <= greatest(1, char_length(asked) - 2)) AS parts,
            -- One letter is wrong, or one is missing.
            array_agg(overlay(asked PLACING ' ' FROM i FOR 1))
            || array_agg(overlay(asked PLACING ' ' FROM i FOR 0))
            || (asked || ' ') AS blanked,
            -- One letter is too many, or two are swapped.
            array_agg(overlay(asked PLACING '' FROM i FOR 1))
            || array_agg(overlay(asked PLACING reverse(substr(asked, i, 2)) FROM i FOR 2))
            -- The profile's word has ß.
            || array_agg(overlay(eszett PLACING reverse(substr(eszett, i, 2)) FROM i FOR 2))
            AS corrected
        FROM replace(asked, 'ss', 'ß') AS eszett
        CROSS JOIN generate_series(1, char_length(asked)) AS i
        WHERE char_length(asked) > 1
    )

    (SELECT
        v.word,
        k.kind
    FROM a
    INNER JOIN search_vocabulary AS v
        ON
            (v.keys @> a.parts AND strpos(v.word, asked) > 0)
            OR v.keys && a.blanked
            OR (v.word = ANY (a.corrected) AND char_length(v.word) >= 4)
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN v.word = asked THEN 4
            WHEN starts_with(v.word, asked) THEN 3
            WHEN strpos(v.word, asked) > 0 THEN 2
            ELSE 1
        END AS kind
    ) AS k
    ORDER BY k.kind DESC, char_length(v.word) ASC, v.word ASC
    LIMIT 5000)
    UNION ALL
    SELECT
        l.word,
        l.kind
    FROM (VALUES (asked, 4), (asked || ' ', 3), (' ' || asked || ' ', 2)) AS l (word, kind)
    WHERE char_length(asked) = 1
$$;

-- The folded words of a search: the first eight; further ones are ignored. Marks such as `-` or
-- `...` count only where there is nothing else. Null means all mentors, and is returned only if `q`
-- is blank. A `q` that folding makes blank, such as an accent, finds no mentor.
CREATE OR REPLACE FUNCTION search_query(q text) RETURNS text[]
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    WITH folded AS MATERIALIZED (SELECT fold(q) AS words),

    words AS MATERIALIZED (
        SELECT
            s.word,
            s.place,
            btrim(s.word, '.:!?¿¡''*~=-`#@•·') <> '' AS is_word
        FROM folded
        CROSS JOIN LATERAL search_split(folded.words) WITH ORDINALITY AS s (word, place)
        UNION ALL
        SELECT
            s.separator,
            1000,
            FALSE
        FROM folded
        CROSS JOIN LATERAL search_separators(folded.words) AS s
    )

    SELECT coalesce(array_agg(w.word), CASE WHEN normalize(q, NFKC) ~ '\S' THEN ARRAY[q] END)
    FROM (
        SELECT word
        FROM words
        WHERE is_word OR NOT EXISTS (SELECT FROM words WHERE is_word)
        GROUP BY word
        ORDER BY min(place)
        LIMIT 8
    ) AS w
$$;

-- The public mentors that pass all filters, or null without filters. The keys of `filters` are the
-- names of the API's parameters.
CREATE OR REPLACE FUNCTION search_filter(filters jsonb) RETURNS varbit
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    WITH asked AS MATERIALIZED (
        SELECT
            row_number() OVER () AS place,
            a.field,
            concat(a.key, E'\n', a.least) AS first_word,
            a.key || E'\n' || coalesce(a.most, U&'\+10FFFF') AS last_word
        FROM (
            SELECT 'expertise' AS field, expertise_key(e.value) AS key, NULL AS least, NULL AS most
            FROM jsonb_array_elements_text(filters -> 'expertise') AS e
            UNION ALL
            SELECT 'language', filters ->> 'language', NULL, NULL
            UNION ALL
            SELECT
                'currency',
                filters ->> 'currency',
                NULL,
                lpad((filters ->> 'maxRate')::numeric(12, 2)::text, 13, '0')
            UNION ALL
            SELECT 'duration', filters ->> 'duration', NULL, NULL
            UNION ALL
            -- Ratings have one decimal.
            SELECT
                'rating',
                '',
                (ceil(10 * (filters ->> 'minRating')::numeric) / 10)::numeric(2, 1)::text,
                NULL
            WHERE (filters ->> 'minRating')::numeric > 0
        ) AS a
        WHERE a.key IS NOT NULL
    ),

    passing AS (
        SELECT
            b.block,
            -- null without filters
            bit_and(coalesce(p.mentors, search_no_mentors())) AS mentors
        FROM search_blocks() AS b
        CROSS JOIN asked AS a
        CROSS JOIN LATERAL (
            SELECT bit_or(mentors) AS mentors
            FROM search_bitmaps
            WHERE field = a.field AND word BETWEEN a.first_word AND a.last_word AND block = b.block
        ) AS p
        GROUP BY b.block
    )

    SELECT bit_concat(passing.mentors ORDER BY passing.block)
    FROM passing
$$;

-- The mentors that pass a filter and have all of these words in this tier or in better ones, for
-- each tier. The higher the tier, the better the match: first by how the word is meant, then by the
-- field. Tier 0 has all matches. Without words it is the only one; null means all mentors.
CREATE OR REPLACE FUNCTION search_word_tiers(words text[], passing varbit)
RETURNS TABLE (tier integer, mentors varbit)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 12
AS $$
    WITH found AS MATERIALIZED (
        SELECT
            asked.place,
            3 * meaning.kind + f.worth AS tier,
            p.block,
            bit_or(p.mentors) AS mentors
        FROM unnest(words) WITH ORDINALITY AS asked (word, place)
        CROSS JOIN LATERAL search_meaning(asked.word) AS meaning
        CROSS JOIN search_texts() AS f
        -- PostgreSQL expects thousands of meanings, and would read all postings.
        -- OFFSET prevents that.
        CROSS JOIN LATERAL (
            SELECT
                block,
                mentors
            FROM search_bitmaps
            WHERE field = f.field AND word = meaning.word
            OFFSET 0
        ) AS p
        GROUP BY asked.place, tier, p.block
    ),

    reached AS (
        SELECT
            asked.place,
            t.tier,
            b.block,
            coalesce(
                bit_or(found.mentors) OVER (
                    PARTITION BY asked.place, b.block ORDER BY t.tier DESC
                ),
                search_no_mentors()
            ) AS mentors
        FROM generate_subscripts(words, 1) AS asked (place)
        CROSS JOIN (
            SELECT tier
            FROM found
            UNION
            SELECT 0
        ) AS t
        CROSS JOIN search_blocks() AS b
        LEFT JOIN found ON (found.place, found.tier, found.block) = (asked.place, t.tier, b.block)
    )

    SELECT
        has_all.tier,
        CASE
            WHEN passing IS NULL THEN bit_concat(has_all.mentors ORDER BY has_all.block)
            ELSE bit_concat(has_all.mentors ORDER BY has_all.block) & passing
        END
    FROM (
        SELECT
            tier,
            block,
            bit_and(mentors) AS mentors
        FROM reached
        GROUP BY tier, block
    ) AS has_all
    GROUP BY has_all.tier
    UNION ALL
    SELECT
        0,
        passing
    WHERE words IS NULL
$$;

-- The words of a search with another link between the parts of compounds: with a blank, `front end`
-- for `front-end`, and with nothing, `frontend`. A single letter says too little to be a word, so
-- `e-commerce` stays as it is, as `c++` and `.net` do.
CREATE OR REPLACE FUNCTION search_link(words text, link text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT regexp_replace(words, '(?<=[[:alnum:]]{2})[-_.](?=[[:alnum:]]{2})', link, 'g')
$$;

-- The tiers of a search, as search_word_tiers() describes them. A search with a compound is read in
-- three ways: as it is typed, with the parts apart, and with the parts joined. For each mentor the
-- best one counts.
CREATE OR REPLACE FUNCTION search_tiers(words text[], passing varbit)
RETURNS TABLE (tier integer, mentors varbit)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 12
AS $$
DECLARE
    typed CONSTANT text := array_to_string(words, ' ');
    apart CONSTANT text := search_link(typed, ' ');
BEGIN
    IF apart <> typed THEN
        RETURN QUERY
        SELECT
            t.tier,
            (bit_or(bit_or(t.mentors)) OVER (ORDER BY t.tier DESC))::varbit
        FROM (VALUES (typed), (apart), (search_link(typed, ''))) AS reading (words)
        CROSS JOIN LATERAL search_word_tiers(
            (string_to_array(reading.words, ' '))[:8], passing
        ) AS t
        GROUP BY t.tier;
    ELSE
        RETURN QUERY
        SELECT
            t.tier,
            t.mentors
        FROM search_word_tiers(words, passing) AS t;
    END IF;
END
$$;

-- The mentors of each block that a search finds, for sql/mentors/count_facets.sql.
CREATE OR REPLACE FUNCTION search_matches(q text, filters jsonb)
RETURNS TABLE (block integer, mentors bit)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 10
AS $$
    WITH filter AS MATERIALIZED (SELECT search_filter(filters) AS mentors)

    SELECT
        b.block,
        coalesce(
            substring(t.mentors FROM b.block * search_block_size() + 1 FOR search_block_size()),
            ~search_no_mentors()
        )
    FROM filter
    CROSS JOIN LATERAL search_tiers(search_query(q), filter.mentors) AS t
    CROSS JOIN search_blocks() AS b
    WHERE t.tier = 0
$$;

-- A folded text with a blank for each mark that links the parts of a compound.
CREATE OR REPLACE FUNCTION search_unlink(words text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT translate(words, '-_.', '   ')
$$;

-- The worth of the field in which a mentor has these words side by side: name or expertise 2,
-- headline 1, otherwise 0. search_unlink() made the phrase.
CREATE OR REPLACE FUNCTION search_phrase(m mentors, phrase text) RETURNS integer
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT CASE
        WHEN strpos(search_unlink(fold(m.full_name)), phrase) > 0 THEN 2
        WHEN strpos(search_unlink(fold(array_to_string(m.expertise, ', '))), phrase) > 0 THEN 2
        WHEN strpos(search_unlink(fold(m.headline)), phrase) > 0 THEN 1
        ELSE 0
    END
$$;

-- The ids of a page of these mentors (null: of all) in the order of `sort`: best, rate or newest.
-- Among up to 200 mentors, those that have the phrase come first. If there are few mentors, they
-- are sorted; for many, the index of the order is read from its beginning.
CREATE OR REPLACE FUNCTION search_page(
    chosen varbit, sort text, phrase text, wanted bigint, skipped bigint
)
RETURNS uuid[]
LANGUAGE plpgsql STABLE PARALLEL SAFE
AS $$
DECLARE
    matches CONSTANT bigint := bit_count(chosen);
    -- Sorting one match takes as long as walking past twenty mentors of the list.
    few boolean := 20 * matches * matches < (wanted + skipped) * length(chosen);
    sorting text := 'm.rating DESC NULLS LAST, m.review_count DESC, m.total_sessions DESC, m.id';
    source text;
    ids uuid[];
BEGIN
    sorting := CASE sort
        WHEN 'rate' THEN 'm.session_rate, '
        WHEN 'newest' THEN 'm.created_at DESC, '
        ELSE ''
    END || sorting;
    -- Not decided by `few`, which differs from page to page: all pages need one order.
    IF phrase IS NOT NULL AND matches <= 200 THEN
        few := TRUE;
        sorting := 'search_phrase(m, $2) DESC, ' || sorting;
    END IF;
    IF few THEN
        source := 'm.number = ANY (ARRAY(SELECT n.number FROM search_numbers($1) AS n))';
    ELSE
        source := 'm.visibility = ''public''';
        IF chosen IS NOT NULL THEN
            source := source || ' AND get_bit($1, m.number) = 1';
        END IF;
    END IF;
    EXECUTE format(
        'SELECT ARRAY(SELECT m.id FROM mentors AS m WHERE %s ORDER BY %s LIMIT $3 OFFSET $4)',
        source, sorting
    ) INTO ids USING chosen, phrase, wanted, skipped;
    RETURN ids;
END
$$;

-- How many public mentors pass the filters and have each word of a search, and a page of their ids.
CREATE OR REPLACE FUNCTION search_mentors(
    q text, filters jsonb, sort text, wanted bigint, skipped bigint
)
RETURNS TABLE (total bigint, ids uuid[])
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 1
-- Planning at each call would take longer than running.
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    words CONSTANT text[] := search_query(q);
    apart CONSTANT text := search_link(array_to_string(words, ' '), ' ');
    -- Only several words are a phrase.
    phrase CONSTANT text := CASE WHEN strpos(apart, ' ') > 0 THEN search_unlink(apart) END;
    -- From the best tier down. Each one includes the matches of the tiers before it.
    tiers varbit[];
    reached varbit;
    in_tier varbit;
    above varbit;
    matches bigint;
BEGIN
    SELECT array_agg(t.mentors ORDER BY t.tier DESC)
    INTO tiers
    FROM search_tiers(words, search_filter(filters)) AS t
    WHERE sort = 'best' OR t.tier = 0;

    ids := '{}';
    FOREACH reached IN ARRAY tiers LOOP
        in_tier := coalesce(reached & ~above, reached);
        above := reached;
        matches := coalesce(bit_count(in_tier), (SELECT c.mentors FROM public_mentor_count AS c));
        IF matches > skipped AND cardinality(ids) < wanted THEN
            ids := ids || search_page(
                in_tier,
                sort,
                CASE WHEN sort = 'best' THEN phrase END,
                wanted - cardinality(ids),
                skipped
            );
        END IF;
        total := coalesce(total, 0) + matches;
        skipped := greatest(0, skipped - matches);
    END LOOP;
    RETURN NEXT;
END
$$;
