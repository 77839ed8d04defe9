-- The search for mentors, its filters and its counts.
--
-- WHAT IS SEARCHED. Name, expertise, headline and bio of each public profile. search_split() splits
-- a folded text into words, the same way for profiles and for searches. Filters look at the whole
-- expertise, the languages, the currency with the rate, the duration and the rating.
--
-- HOW IT IS KEPT. In two tables, which the trigger mentors_index() changes:
--
-- * search_postings has one row for each field, word and block of mentors. Its bitmap `mentors` has
--   one bit for each mentor of the block. A mentor's column `number` says which bit: bit
--   number % block size of block number / block size. No number is used twice. The `word` of a
--   filter has two lines, what the filter asks for and what the profile shows: a folded expertise
--   and its spelling, a range of languages and the language, a currency and the rate.
-- * search_vocabulary has one row for each word that a text has or had. Its column `keys`, with a
--   GIN index, finds the words that a word of a search may mean.
--
-- HOW A SEARCH RUNS. search_mentors() is the entry point; sql/mentors/search.sql calls it.
--
-- 1. search_filter() intersects the bitmaps of the filters.
-- 2. search_meaning() finds, for each word of the search, the words of the vocabulary that it may
--    mean: the same word, those that begin with it, those that contain it, and those that differ by
--    one typing error.
-- 3. search_tiers() unites their bitmaps, one for each tier. The tier says how good the match is. A
--    mentor is as good a match as the weakest of the words.
-- 4. search_page() takes the tiers from the best one down until the page is full. Equal matches
--    stand in the order of the list of mentors.
--
-- sql/mentors/facets.sql counts the bits of all matches in the bitmaps of the filters.
--
-- A RATING has no bitmap: all reviews of the mentors of a block would wait for each other.
-- search_rated() makes the bitmap from the index of the list.
--
-- TYPING ERRORS are found without comparing words. Each word of the vocabulary has as keys all its
-- variants with a blank in the place of one letter, such as `d sign`. A search for `dexign` or
-- `dsign` looks for its own variants with a blank in the place of a letter or between two letters.
-- One letter too many and two letters swapped need no key: the search looks for the corrected word.
--
-- WHY BITMAPS. To unite, intersect and count bitmaps takes a millisecond, however many mentors have
-- the word (docs/decisions.md says what else was measured). Most words are rare, so most bits are
-- 0: compressed, a bitmap takes some fifty bytes.
--
-- CLEANING. A word that no profile has any more stays in the vocabulary until search_clean().
-- search_rebuild() makes both tables anew from the profiles; `migrate` does that if there are no
-- postings. The view search_postings_recounted shows what the postings should be;
-- deploy/database/drift.sql compares.
--
-- THE BLOCK SIZE is 16384 mentors: search_block_size(), and the type of search_postings.mentors.
-- A block is what one change of a profile rewrites for each of its words.

CREATE OR REPLACE FUNCTION search_block_size() RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT 16384 $$;

-- The bitmap of a block without a mentor.
CREATE OR REPLACE FUNCTION search_no_mentors() RETURNS bit
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT repeat('0', search_block_size())::varbit $$;

-- The block of a mentor, by number.
CREATE OR REPLACE FUNCTION search_block(number integer) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT number / search_block_size() $$;

-- All blocks, the first one also of an empty table.
CREATE OR REPLACE FUNCTION search_blocks() RETURNS TABLE (block integer)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 10
AS $$
    SELECT generate_series(0, search_block((SELECT coalesce(max(m.number), 0) FROM mentors AS m)))
$$;

-- The bitmap that holds only this mentor.
CREATE OR REPLACE FUNCTION search_bit(number integer) RETURNS bit
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT set_bit(search_no_mentors(), number % search_block_size(), 1) $$;

-- The numbers of the mentors in a bitmap of all blocks. Each bit 1 ends a run of zeros.
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

-- A text without the differences that a search ignores: case, accents, vowel signs of Arabic and
-- Hebrew, invisible characters, and the forms that Unicode calls compatible (NFKC), such as
-- half-width katakana. A long dash is a blank; unaccent() would make it a hyphen. All that takes
-- 40 microseconds for a short bio, and most bios are ASCII.
CREATE OR REPLACE FUNCTION fold(words text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT CASE
        WHEN octet_length(words) = char_length(words) THEN lower(words)
        ELSE translate(
            lower(unaccent(normalize(
                regexp_replace(
                    normalize(words, NFKD),
                    '[\u0300-\u036f\u0591-\u05c7\u0640\u064b-\u065f\u0670'
                    '\u00ad\u200b-\u200f\u2060\ufe00-\ufe0f\ufeff]',
                    '', 'g'
                ),
                NFKC
            ))),
            'ς–—―', 'σ   '
        )
    END
$$;

-- The words of a folded text. Blanks, brackets, quotation marks, commas, semicolons, bars and
-- slashes separate words. Marks before and after a word do not belong to it: `C++,` and `(.NET)`
-- are the words c++ and .net. Longer words than an index takes are cut.
CREATE OR REPLACE FUNCTION search_split(words text) RETURNS TABLE (word text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 20
AS $$
    SELECT left(coalesce(nullif(trimmed.word, ''), trimmed.piece), 200)
    FROM (
        SELECT
            split.piece,
            ltrim(rtrim(split.piece, '.:!?''*~=-`'), ':!?¿¡''*~=-`#@•·') AS word
        FROM
            regexp_split_to_table(
                words, '(?:[\s/,;|()\[\]{}<>"“”„«»、。・「」]|\.\.|::)+'
            ) AS split (piece)
        WHERE split.piece <> ''
    ) AS trimmed
$$;

-- The parts of a word by which profiles are found as well: those of two letters or more, such as
-- `js` of `node.js`; between hyphens those of four or more, such as `commerce` of `e-commerce`, but
-- not `go` of `go-to-market`.
CREATE OR REPLACE FUNCTION search_parts(word text) RETURNS TABLE (part text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 2
AS $$
    SELECT btrim(split.part, '-')
    FROM regexp_split_to_table(word, '[^[:alnum:]-]+') AS split (part)
    WHERE char_length(split.part) >= 2
    UNION ALL
    SELECT split.part
    FROM regexp_split_to_table(word, '[^[:alnum:]]+') AS split (part)
    WHERE char_length(split.part) >= 4
$$;

-- The texts that a search looks at, and how much a match is worth there. A name and an expertise
-- count the same.
CREATE OR REPLACE FUNCTION search_texts() RETURNS TABLE (field text, worth integer)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 3
AS $$ VALUES ('name', 2), ('headline', 1), ('bio', 0) $$;

-- What a language filter finds a tag by (RFC 4647, basic filtering): zh-Hans-CN is found by itself,
-- by zh-Hans and by zh.
CREATE OR REPLACE FUNCTION language_ranges(tag text) RETURNS TABLE (language_range text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 2
AS $$
    SELECT array_to_string(split.parts[:n], '-')
    FROM string_to_array(tag, '-') AS split (parts)
    CROSS JOIN LATERAL generate_series(1, cardinality(split.parts)) AS n
$$;

-- What filters find a profile by.
CREATE OR REPLACE FUNCTION filter_terms(m mentors) RETURNS TABLE (field text, word text)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 10
AS $$
    SELECT
        'expertise',
        concat_ws(E'\n', left(fold(e.value), 200), e.value)
    FROM unnest(m.expertise) AS e (value)
    UNION
    SELECT
        'language',
        concat_ws(E'\n', r.language_range, l.tag)
    FROM unnest(m.languages) AS l (tag)
    CROSS JOIN LATERAL language_ranges(l.tag) AS r
    UNION
    SELECT
        'currency',
        concat_ws(E'\n', m.session_currency, lpad(m.session_rate::text, 13, '0'))
    UNION
    SELECT
        'duration',
        concat_ws(E'\n', m.session_duration, '')
$$;

-- What a search finds a profile by. At most 500 words are kept, from the name on: a long bio has
-- some 400 different ones. For searches of one letter there are the first letters of the words
-- (`c `) and all their letters (` c `), since too many words contain a letter.
CREATE OR REPLACE FUNCTION search_terms(m mentors) RETURNS TABLE (field text, word text)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 100
AS $$
    WITH words AS MATERIALIZED (
        SELECT
            f.place,
            f.field,
            w.word,
            w.place AS word_place
        FROM (
            VALUES
            (1, 'name', concat_ws(', ', m.full_name, array_to_string(m.expertise, ', '))),
            (2, 'headline', m.headline),
            (3, 'bio', m.bio)
        ) AS f (place, field, words)
        CROSS JOIN LATERAL search_split(fold(f.words)) WITH ORDINALITY AS w (word, place)
    ),

    kept AS MATERIALIZED (
        SELECT
            t.field,
            t.word
        FROM (
            SELECT * FROM words
            UNION ALL
            SELECT
                w.place,
                w.field,
                p.part,
                1000 + w.word_place
            FROM words AS w
            CROSS JOIN LATERAL search_parts(w.word) AS p
            WHERE w.word ~ '[^[:alnum:]]'
        ) AS t
        WHERE t.word <> ''
        GROUP BY t.field, t.word
        ORDER BY min(t.place), min(t.word_place)
        LIMIT 500
    )

    SELECT * FROM kept
    UNION
    SELECT
        field,
        left(word, 1) || ' '
    FROM kept
    UNION
    SELECT
        kept.field,
        ' ' || l.letter || ' '
    FROM kept
    CROSS JOIN LATERAL string_to_table(kept.word, NULL) AS l (letter)
$$;

CREATE OR REPLACE FUNCTION profile_terms(m mentors) RETURNS TABLE (field text, word text)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 60
AS $$
    SELECT * FROM search_terms(m)
    UNION ALL
    SELECT * FROM filter_terms(m)
$$;

-- What the vocabulary finds a word by: its parts of two and three letters and, from four letters
-- on, its variants with a blank instead of a letter.
CREATE OR REPLACE FUNCTION search_keys(word text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT
        array_agg(substr(word, i, 2)) || array_agg(substr(word, i, 3))
        || array_agg(overlay(word PLACING ' ' FROM i FOR 1)) FILTER (WHERE char_length(word) >= 4)
    FROM generate_series(1, char_length(word)) AS i
$$;

-- search_postings as the profiles want it.
CREATE OR REPLACE VIEW search_postings_recounted AS
SELECT
    t.field,
    t.word,
    search_block(m.number) AS block,
    bit_or(search_bit(m.number)) AS mentors
FROM mentors AS m
CROSS JOIN LATERAL profile_terms(m) AS t
WHERE m.visibility = 'public'
GROUP BY t.field, t.word, search_block(m.number);

-- Makes both tables anew. Changes of profiles wait meanwhile.
CREATE OR REPLACE FUNCTION search_rebuild() RETURNS void
LANGUAGE sql
AS $$
    LOCK TABLE mentors IN SHARE ROW EXCLUSIVE MODE;
    DELETE FROM search_postings;
    DELETE FROM search_vocabulary;
    INSERT INTO search_postings (field, word, block, mentors)
    SELECT
        field,
        word,
        block,
        mentors
    FROM search_postings_recounted;
    INSERT INTO search_vocabulary (word, keys)
    SELECT
        p.word,
        search_keys(p.word)
    FROM search_postings AS p
    INNER JOIN search_texts() AS f ON f.field = p.field
    WHERE strpos(p.word, ' ') = 0
    GROUP BY p.word;
$$;

-- For `migrate`: fills the tables after a migration that emptied them.
CREATE OR REPLACE FUNCTION search_fill() RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    IF
        NOT EXISTS (SELECT FROM search_postings)
        AND EXISTS (SELECT FROM mentors WHERE visibility = 'public')
    THEN
        PERFORM search_rebuild();
    END IF;
END
$$;

-- Flips the bits of the words that a statement adds or removes, once for all mentors of the
-- statement. In order, so that two transactions that flip the same bits wait for each other and do
-- not deadlock. The bits of a mentor have one writer at a time: the transaction that holds the lock
-- on the profile.
CREATE OR REPLACE FUNCTION mentors_index() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
    before mentors[];
    after mentors[];
    fields text[];
    words text[];
    numbers integer[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT array_agg(ROW(n.*)::mentors) INTO after FROM new_mentors AS n;
    ELSIF TG_OP = 'DELETE' THEN
        SELECT array_agg(ROW(o.*)::mentors) INTO before FROM old_mentors AS o;
    ELSE
        -- Reviews and completed sessions change a mentor's row, but not its words.
        SELECT array_agg(ROW(o.*)::mentors), array_agg(ROW(n.*)::mentors)
        INTO before, after
        FROM old_mentors AS o
        INNER JOIN new_mentors AS n ON n.number = o.number
        WHERE
            (
                o.full_name, o.expertise, o.headline, o.bio, o.visibility, o.languages,
                o.session_rate, o.session_currency, o.session_duration
            ) IS DISTINCT FROM (
                n.full_name, n.expertise, n.headline, n.bio, n.visibility, n.languages,
                n.session_rate, n.session_currency, n.session_duration
            );
    END IF;

    SELECT array_agg(turned.field), array_agg(turned.word), array_agg(turned.number)
    INTO fields, words, numbers
    FROM (
        SELECT t.field, t.word, m.number
        FROM unnest(before || after) AS m
        CROSS JOIN LATERAL profile_terms(m) AS t
        WHERE m.visibility = 'public'
        GROUP BY t.field, t.word, m.number
        HAVING count(*) = 1
    ) AS turned;
    IF words IS NULL THEN
        RETURN NULL;
    END IF;

    INSERT INTO search_vocabulary (word, keys)
    SELECT DISTINCT w.word, search_keys(w.word)
    FROM unnest(fields, words) AS w (field, word)
    INNER JOIN search_texts() AS f ON f.field = w.field
    WHERE
        strpos(w.word, ' ') = 0
        AND NOT EXISTS (
            SELECT
            FROM search_vocabulary AS v
            WHERE v.word = w.word
        )
    ORDER BY w.word
    ON CONFLICT (word) DO NOTHING;

    INSERT INTO search_postings AS kept (field, word, block, mentors)
    SELECT
        t.field,
        t.word,
        search_block(t.number),
        bit_or(search_bit(t.number))
    FROM unnest(fields, words, numbers) AS t (field, word, number)
    GROUP BY t.field, t.word, search_block(t.number)
    ORDER BY t.field, t.word, search_block(t.number)
    ON CONFLICT (field, word, block) DO UPDATE
        SET mentors = kept.mentors # excluded.mentors;

    -- These rows are locked since the statement before.
    IF before IS NOT NULL THEN
        DELETE FROM search_postings AS p
        USING unnest(fields, words, numbers) AS t (field, word, number)
        WHERE
            (p.field, p.word, p.block) = (t.field, t.word, search_block(t.number))
            AND p.mentors = search_no_mentors();
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER mentors_index_new AFTER INSERT ON mentors
REFERENCING NEW TABLE AS new_mentors
FOR EACH STATEMENT EXECUTE FUNCTION mentors_index();

CREATE OR REPLACE TRIGGER mentors_index_changed AFTER UPDATE ON mentors
REFERENCING OLD TABLE AS old_mentors NEW TABLE AS new_mentors
FOR EACH STATEMENT EXECUTE FUNCTION mentors_index();

CREATE OR REPLACE TRIGGER mentors_index_gone AFTER DELETE ON mentors
REFERENCING OLD TABLE AS old_mentors
FOR EACH STATEMENT EXECUTE FUNCTION mentors_index();

-- The words of profiles that a folded word of a search may mean, and how: 4 the same word, 3 one
-- that begins with it, 2 one that contains it, 1 one of four letters or more that differs by one
-- typing error. At most 5,000, the best and the shortest first, since each of them is looked up.
-- A single letter means itself, and what search_terms() keeps for it.
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
            AS corrected
        FROM generate_series(1, char_length(asked)) AS i
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

-- The folded words of a search. Further words than eight are ignored.
CREATE OR REPLACE FUNCTION search_query(q text) RETURNS text[]
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT array_agg(w.word)
    FROM (
        SELECT s.word
        FROM search_split(fold(q)) WITH ORDINALITY AS s (word, place)
        GROUP BY s.word
        ORDER BY min(s.place)
        LIMIT 8
    ) AS w
$$;

-- The public mentors with this rating or a better one.
CREATE OR REPLACE FUNCTION search_rated(min_rating numeric) RETURNS varbit
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    -- 64 at a time: to unite bitmaps of whole blocks takes half as long again.
    SELECT string_agg(coalesce(good.mentors, 0::bit(64))::text, '' ORDER BY part.n)::varbit
    FROM search_blocks() AS b
    CROSS JOIN generate_series(
        b.block * search_block_size() / 64, (b.block + 1) * search_block_size() / 64 - 1
    ) AS part (n)
    LEFT JOIN (
        SELECT
            number / 64 AS n,
            bit_or(1::bigint << 63 - number % 64)::bit(64) AS mentors
        FROM mentors
        WHERE visibility = 'public' AND rating >= min_rating
        GROUP BY number / 64
    ) AS good ON good.n = part.n
$$;

-- The public mentors that pass all filters, or null without filters. They have the names of the
-- API's parameters.
CREATE OR REPLACE FUNCTION search_filter(filters jsonb) RETURNS varbit
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    WITH asked AS MATERIALIZED (
        SELECT
            row_number() OVER () AS place,
            a.field,
            a.key || E'\n' AS first_word,
            a.key || E'\n' || coalesce(a.most, U&'\+10FFFF') AS last_word
        FROM (
            SELECT 'expertise' AS field, left(fold(e.value), 200) AS key, NULL AS most
            FROM jsonb_array_elements_text(filters -> 'expertise') AS e
            UNION ALL
            SELECT 'language', filters ->> 'language', NULL
            UNION ALL
            SELECT
                'currency',
                filters ->> 'currency',
                lpad((filters ->> 'maxRate')::numeric(12, 2)::text, 13, '0')
            UNION ALL
            SELECT 'duration', filters ->> 'duration', NULL
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
            FROM search_postings
            WHERE field = a.field AND word BETWEEN a.first_word AND a.last_word AND block = b.block
        ) AS p
        GROUP BY b.block
    ),

    rated AS MATERIALIZED (
        SELECT CASE
            WHEN (filters ->> 'minRating')::numeric > 0
                THEN search_rated((filters ->> 'minRating')::numeric)
        END AS mentors
    )

    SELECT coalesce(p.mentors & r.mentors, p.mentors, r.mentors)
    FROM rated AS r
    CROSS JOIN (
        SELECT bit_concat(passing.mentors ORDER BY passing.block) AS mentors
        FROM passing
    ) AS p
$$;

-- The mentors that pass a filter and have all words of a search in this tier or in better ones, for
-- each tier. The higher the tier, the better the match: first by how the word is meant, then by the
-- field. Tier 0 has all matches. Without words it is the only one; null means all mentors.
CREATE OR REPLACE FUNCTION search_tiers(words text[], passing varbit)
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
            FROM search_postings
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

-- The mentors of each block that a search finds, for sql/mentors/facets.sql.
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

-- How good the field is in which a mentor has these words side by side; 0 for none but the bio.
CREATE OR REPLACE FUNCTION search_phrase(m mentors, phrase text) RETURNS integer
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT CASE
        WHEN strpos(fold(m.full_name), phrase) > 0 THEN 2
        WHEN strpos(fold(array_to_string(m.expertise, ', ')), phrase) > 0 THEN 2
        WHEN strpos(fold(m.headline), phrase) > 0 THEN 1
        ELSE 0
    END
$$;

-- The ids of a page of these mentors (null: of all) in the order of `sort`: best, rate or newest.
-- Where few are equal, those that have the phrase come first. A few are sorted; for many, the index
-- of the order is walked from its top.
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
    -- Not where it depends on the page how they are sorted.
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
    phrase CONSTANT text := CASE WHEN cardinality(words) > 1 THEN array_to_string(words, ' ') END;
    passing CONSTANT varbit := search_filter(filters);
    -- from the best tier down, each with the matches of the tiers before
    tiers varbit[];
    reached varbit;
    in_tier varbit;
    above varbit;
    matches bigint;
BEGIN
    SELECT array_agg(t.mentors ORDER BY t.tier DESC)
    INTO tiers
    FROM search_tiers(words, passing) AS t
    WHERE sort = 'best' OR t.tier = 0;

    ids := '{}';
    FOREACH reached IN ARRAY tiers LOOP
        in_tier := coalesce(reached & ~above, reached);
        above := reached;
        matches := coalesce(
            bit_count(in_tier),
            (SELECT c.mentors FROM mentor_counts AS c WHERE c.visibility = 'public')
        );
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

-- Whether a public profile has a word of the vocabulary.
CREATE OR REPLACE FUNCTION search_uses(word text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT bool_or(p.found IS NOT NULL)
    FROM search_texts() AS f
    LEFT JOIN LATERAL (
        SELECT TRUE AS found
        FROM search_postings
        WHERE field = f.field AND search_postings.word = search_uses.word
        LIMIT 1
    ) AS p ON TRUE
$$;

-- Looks at the next words of the vocabulary and deletes those that no public profile has. `last` is
-- the word to go on after, or NULL at the end.
--
-- Each change of a profile's words locks search_vocabulary in ROW EXCLUSIVE MODE until it commits.
-- So while this function holds its own lock, no such change is open, and the DELETE sees all words.
CREATE OR REPLACE FUNCTION search_clean(after text, most integer)
RETURNS TABLE (deleted bigint, last text)
LANGUAGE plpgsql
-- Changes of profiles queue up behind this lock. Without the lock, the next run does the work.
SET lock_timeout = '200ms'
AS $$
DECLARE
    unused text[];
BEGIN
    deleted := 0;
    SELECT max(v.word), array_agg(v.word) FILTER (WHERE NOT v.used)
    INTO last, unused
    FROM (
        SELECT
            word,
            search_uses(word) AS used
        FROM search_vocabulary
        WHERE word > after
        ORDER BY word
        LIMIT most
    ) AS v;

    IF unused IS NOT NULL THEN
        LOCK TABLE search_vocabulary IN SHARE ROW EXCLUSIVE MODE;
        DELETE FROM search_vocabulary AS v
        WHERE v.word = ANY (unused) AND NOT search_uses(v.word);
        GET DIAGNOSTICS deleted = ROW_COUNT;
    END IF;
    RETURN NEXT;
EXCEPTION
    WHEN lock_not_available THEN
        deleted := 0;
        RETURN NEXT;
END
$$;
