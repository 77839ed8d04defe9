-- The search for mentors.
--
-- WHAT IS SEARCHED. Four fields of each public profile: name, expertise, headline, bio. The
-- generated columns mentors.search_… hold them folded (lower case, no accents). search_words()
-- splits them into words.
--
-- HOW IT IS KEPT. Two tables, which the trigger mentors_index() keeps up to date:
--
-- * search_vocabulary has one row for each word that a profile has or had. Trigram indexes and
--   short_parts find in it the words that a word of a search may mean.
-- * search_postings has one row for each word, field and block of mentors. Its bitmap `mentors` has
--   one bit for each mentor of the block. A mentor's column `number` says which bit: bit
--   number % block size of block number / block size. No number is used twice.
--
-- HOW A SEARCH RUNS. search_mentors() is the entry point; sql/mentors/search.sql calls it.
--
-- 1. search_meaning() finds, for each word of the search, the words of the vocabulary that it may
--    mean: those that contain it, and those that are like it (misspelt, or two letters swapped).
-- 2. search_finds() unites the bitmaps of these words, one for each word of the search and each
--    tier. The tier says how good the match is.
-- 3. search_having_all() intersects them: which mentors have all words in this tier or a better
--    one. A mentor is as good a match as the weakest of the words.
-- 4. search_mentors() walks the tiers from the best one down until the page is full. Equal matches
--    stand in the order of the list of mentors.
--
-- WHY BITMAPS. To unite, intersect and count bitmaps takes a millisecond, however many mentors have
-- the word. With one row for each word and mentor, the search for a common word took as long as
-- there were mentors. Most words are rare, so most bits are 0: compressed, a bitmap takes some
-- fifty bytes.
--
-- CLEANING. A word that no profile has any more keeps its rows; search_clean() deletes them.
-- search_rebuild() makes both tables anew from the profiles. The view search_postings_recounted
-- shows what the postings should be; deploy/database/drift.sql compares.
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

-- The bitmap that holds only this mentor.
CREATE OR REPLACE FUNCTION search_bit(number integer) RETURNS bit
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT set_bit(search_no_mentors(), number % search_block_size(), 1) $$;

-- Whether a mentor is in the bitmaps of all blocks, from the first block on.
CREATE OR REPLACE FUNCTION search_has(mentors bit[], number integer) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT get_bit(mentors[search_block(number) + 1], number % search_block_size()) = 1 $$;

-- The numbers of the mentors in the bitmaps of all blocks, from the first block on. Each bit 1 ends
-- a run of zeros.
CREATE OR REPLACE FUNCTION search_numbers(mentors bit[])
RETURNS TABLE (number integer)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 100
AS $$
    SELECT (
        (block.place - 1) * search_block_size() - 1
        + sum(length(zeros.run) + 1) OVER (PARTITION BY block.place ORDER BY zeros.place)
    )::integer
    FROM
        unnest(mentors) WITH ORDINALITY AS block (bits, place),
        string_to_table(block.bits::text, '1') WITH ORDINALITY AS zeros (run, place)
    WHERE zeros.place <= bit_count(block.bits)
$$;

-- The words of a profile's fields, which are folded. Longer ones than an index takes are cut. At
-- most 500 are kept, from the name on: a long bio has some 400 different ones.
CREATE OR REPLACE FUNCTION search_words(name text, expertise text, headline text, bio text)
RETURNS TABLE (word text, field smallint)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 50
AS $$
    SELECT
        left(w.word, 200),
        f.field
    FROM (
        VALUES (4::smallint, name), (3, expertise), (2, headline), (1, bio)
    ) AS f (field, words)
    CROSS JOIN LATERAL
        regexp_split_to_table(f.words, '\s+') WITH ORDINALITY AS w (word, place)
    WHERE w.word <> ''
    GROUP BY left(w.word, 200), f.field
    ORDER BY f.field DESC, min(w.place) ASC
    LIMIT 500
$$;

-- search_postings as the profiles want it. In search_postings, a word that no profile has any more
-- may have kept its row, without a bit.
CREATE OR REPLACE VIEW search_postings_recounted AS
SELECT
    w.word,
    w.field,
    search_block(m.number) AS block,
    bit_or(search_bit(m.number)) AS mentors
FROM
    mentors AS m,
    search_words(m.search_name, m.search_expertise, m.search_headline, m.search_bio) AS w
WHERE m.visibility = 'public'
GROUP BY w.word, w.field, search_block(m.number);

-- Makes both tables anew. Changes of profiles wait meanwhile.
CREATE OR REPLACE FUNCTION search_rebuild() RETURNS void
LANGUAGE sql
AS $$
    LOCK TABLE mentors IN SHARE ROW EXCLUSIVE MODE;
    DELETE FROM search_postings;
    INSERT INTO search_postings (word, field, block, mentors)
    SELECT
        word,
        field,
        block,
        mentors
    FROM search_postings_recounted;
    INSERT INTO search_vocabulary (word)
    SELECT DISTINCT word
    FROM search_postings
    ON CONFLICT (word) DO NOTHING;
$$;

-- Flips the bits of the words that a statement adds or removes, once for all mentors of the
-- statement. In order, so that two transactions that flip the same bits wait for each other and do
-- not deadlock. The bits of a mentor have one writer at a time: the transaction that holds the lock
-- on the profile.
CREATE OR REPLACE FUNCTION mentors_index() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
    changed integer[];
    words text[];
    fields smallint[];
    numbers integer[];
BEGIN
    IF TG_OP = 'UPDATE' THEN
        SELECT array_agg(n.number) INTO changed
        FROM old_mentors AS o
        INNER JOIN new_mentors AS n ON n.number = o.number
        WHERE
            (
                o.search_name, o.search_expertise, o.search_headline, o.search_bio, o.visibility
            ) IS DISTINCT FROM (
                n.search_name, n.search_expertise, n.search_headline, n.search_bio, n.visibility
            );
        -- Reviews and completed sessions change a mentor's row, but not its words.
        IF changed IS NULL THEN
            RETURN NULL;
        END IF;
        SELECT array_agg(turned.word), array_agg(turned.field), array_agg(turned.number)
        INTO words, fields, numbers
        FROM (
            SELECT w.word, w.field, m.number
            FROM (
                SELECT * FROM old_mentors
                UNION ALL
                SELECT * FROM new_mentors
            ) AS m
            INNER JOIN unnest(changed) AS c (number) ON c.number = m.number
            CROSS JOIN LATERAL search_words(
                m.search_name, m.search_expertise, m.search_headline, m.search_bio
            ) AS w
            WHERE m.visibility = 'public'
            GROUP BY w.word, w.field, m.number
            HAVING count(*) = 1
        ) AS turned;
    ELSE
        SELECT array_agg(w.word), array_agg(w.field), array_agg(c.number)
        INTO words, fields, numbers
        FROM changed_mentors AS c
        CROSS JOIN LATERAL search_words(
            c.search_name, c.search_expertise, c.search_headline, c.search_bio
        ) AS w
        WHERE c.visibility = 'public';
    END IF;
    IF words IS NULL THEN
        RETURN NULL;
    END IF;

    INSERT INTO search_vocabulary (word)
    SELECT DISTINCT w.word
    FROM unnest(words) AS w (word)
    WHERE NOT EXISTS (
        SELECT
        FROM search_vocabulary AS v
        WHERE v.word = w.word
    )
    ORDER BY w.word
    ON CONFLICT (word) DO NOTHING;

    INSERT INTO search_postings AS kept (word, field, block, mentors)
    SELECT
        turned.word,
        turned.field,
        search_block(turned.number),
        bit_or(search_bit(turned.number))
    FROM unnest(words, fields, numbers) AS turned (word, field, number)
    GROUP BY turned.word, turned.field, search_block(turned.number)
    ORDER BY turned.word, turned.field, search_block(turned.number)
    ON CONFLICT (word, field, block) DO UPDATE
        SET mentors = kept.mentors # excluded.mentors;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER mentors_index_new AFTER INSERT ON mentors
REFERENCING NEW TABLE AS changed_mentors
FOR EACH STATEMENT EXECUTE FUNCTION mentors_index();

CREATE OR REPLACE TRIGGER mentors_index_changed AFTER UPDATE ON mentors
REFERENCING OLD TABLE AS old_mentors NEW TABLE AS new_mentors
FOR EACH STATEMENT EXECUTE FUNCTION mentors_index();

CREATE OR REPLACE TRIGGER mentors_index_gone AFTER DELETE ON mentors
REFERENCING OLD TABLE AS changed_mentors
FOR EACH STATEMENT EXECUTE FUNCTION mentors_index();

-- The LIKE pattern for texts that contain these words; %, _ and \ are letters like any other.
CREATE OR REPLACE FUNCTION containing(words text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT '%' || regexp_replace(fold(words), '([\\%_])', '\\\1', 'g') || '%' $$;

-- The same for a word with two neighbouring letters swapped, one pattern for each pair: of all
-- misspellings, a swap leaves the fewest trigrams of a word.
CREATE OR REPLACE FUNCTION containing_swapped(word text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT array_agg(containing(overlay(word PLACING reverse(substr(word, i, 2)) FROM i FOR 2)))
    FROM generate_series(1, char_length(word) - 1) AS i
$$;

-- The words of profiles that a word of a search may mean: those that contain it (`exact`), and
-- those that are like it (above pg_trgm.word_similarity_threshold). Short words are like too many
-- others. At most 5,000, the shortest first, since each of them is looked up.
CREATE OR REPLACE FUNCTION search_meaning(asked text)
RETURNS TABLE (word text, likeness real, exact boolean)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    WITH a AS MATERIALIZED (
        SELECT
            f.folded,
            f.pattern,
            -- Each of these is null where it does not apply, and then its index has nothing to do.
            CASE WHEN char_length(f.folded) <= 2 THEN ARRAY[f.folded] END AS short,
            CASE WHEN char_length(f.folded) > 2 THEN f.pattern END AS long,
            CASE WHEN f.letters >= 4 THEN f.folded END AS misspelt,
            CASE WHEN f.letters >= 5 THEN containing_swapped(asked) END AS swapped
        FROM (
            SELECT
                fold(asked) AS folded,
                containing(asked) AS pattern,
                char_length(regexp_replace(asked, '[^[:alnum:]]', '', 'g')) AS letters
        ) AS f
    )

    SELECT
        meant.word,
        similarity(meant.folded, meant.word),
        meant.exact
    FROM (
        SELECT
            v.word,
            a.folded,
            v.word LIKE a.pattern AS exact
        FROM a
        INNER JOIN search_vocabulary AS v
            ON
                v.short_parts @> a.short
                OR v.word LIKE a.long
                OR a.misspelt <% v.word
                OR v.word LIKE ANY (a.swapped)
        ORDER BY v.word LIKE a.pattern DESC, char_length(v.word) ASC, v.word ASC
        LIMIT 5000
    ) AS meant
$$;

-- Which mentors of a block have a word that may be meant, by the place of the word in the search
-- and by tier. The higher the tier, the better the match: among words that contain the asked one,
-- the better field comes first and then the more alike; among words that are only like it, the more
-- alike, and the bio last.
CREATE OR REPLACE FUNCTION search_finds(words text[])
RETURNS TABLE (place bigint, tier integer, block integer, mentors bit)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 100
AS $$
    SELECT
        meant.place,
        meant.tier,
        meant.block,
        bit_or(meant.mentors)
    FROM (
        SELECT
            asked.place,
            CASE
                WHEN meaning.exact THEN 100 * p.field + round(10 * meaning.likeness)::integer
                ELSE 2 * round(10 * meaning.likeness)::integer + (p.field > 1)::integer
            END AS tier,
            p.block,
            p.mentors
        FROM unnest(words) WITH ORDINALITY AS asked (word, place)
        CROSS JOIN LATERAL search_meaning(asked.word) AS meaning
        -- PostgreSQL expects thousands of meanings, and would read all postings.
        -- OFFSET prevents that.
        CROSS JOIN LATERAL (
            SELECT
                field,
                block,
                mentors
            FROM search_postings
            WHERE word = meaning.word
            OFFSET 0
        ) AS p
    ) AS meant
    GROUP BY meant.place, meant.tier, meant.block
$$;

-- Which mentors of each block have all words of a search in this tier or in better ones. The arrays
-- hold the rows of search_finds: to unnest them would copy all bits each time.
CREATE OR REPLACE FUNCTION search_having_all(
    words integer,
    places bigint[],
    tiers integer[],
    blocks integer[],
    finds bit[],
    least_tier integer
)
RETURNS TABLE (block integer, mentors bit)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 10
AS $$
    SELECT
        has_word.block,
        bit_and(has_word.mentors)
    FROM (
        SELECT
            blocks[f] AS block,
            bit_or(finds[f]) AS mentors
        FROM generate_subscripts(finds, 1) AS f
        WHERE tiers[f] >= least_tier
        GROUP BY places[f], blocks[f]
    ) AS has_word
    GROUP BY has_word.block
    HAVING count(*) = words
$$;

-- How many public mentors have each of these words, and a page of their ids, best first. Where few
-- are equal, those that have the phrase come first; where many are equal, their texts are not read.
CREATE OR REPLACE FUNCTION search_mentors(
    words text[], phrase text, wanted bigint, skipped bigint
)
RETURNS TABLE (total bigint, ids uuid[])
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 1
-- Planning at each call would take longer than running.
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    pattern CONSTANT text := containing(phrase);
    places bigint[];
    tiers integer[];
    blocks integer[];
    finds varbit[];
    this_tier integer;
    -- the matches above this tier, at least of this tier, and of this tier
    above varbit[];
    at_least varbit[];
    in_tier varbit[];
    matches bigint;
BEGIN
    SELECT array_agg(f.place), array_agg(f.tier), array_agg(f.block), array_agg(f.mentors)
    INTO places, tiers, blocks, finds
    FROM search_finds(words) AS f;

    SELECT coalesce(sum(bit_count(has_all.mentors)), 0) INTO total
    FROM search_having_all(cardinality(words), places, tiers, blocks, finds, 0) AS has_all;

    ids := '{}';
    FOR this_tier IN
        SELECT DISTINCT t.tier
        FROM unnest(tiers) AS t (tier)
        WHERE total > skipped
        ORDER BY t.tier DESC
    LOOP
        SELECT array_agg(coalesce(has_all.mentors, search_no_mentors()) ORDER BY b.block)
        INTO at_least
        FROM generate_series(0, (SELECT max(b.block) FROM unnest(blocks) AS b (block))) AS b (block)
        LEFT JOIN
            search_having_all(
                cardinality(words), places, tiers, blocks, finds, this_tier
            ) AS has_all
            ON has_all.block = b.block;

        IF above IS NULL THEN
            in_tier := at_least;
        ELSE
            SELECT array_agg(at_least[b] & ~above[b] ORDER BY b) INTO in_tier
            FROM generate_subscripts(at_least, 1) AS b;
        END IF;
        above := at_least;
        SELECT sum(bit_count(in_tier[b])) INTO matches
        FROM generate_subscripts(in_tier, 1) AS b;

        IF matches <= skipped THEN
            skipped := skipped - matches;
            CONTINUE;
        END IF;
        -- Sorting one match takes as long as walking past twenty mentors of the list.
        IF
            (cardinality(words) > 1 AND matches <= 1000)
            OR 20 * matches * matches
            < (wanted + skipped) * cardinality(in_tier) * search_block_size()
        THEN
            ids := ids || ARRAY(
                SELECT m.id
                FROM mentors AS m
                WHERE m.number = ANY (ARRAY(SELECT s.number FROM search_numbers(in_tier) AS s))
                ORDER BY
                    CASE
                        WHEN m.search_name LIKE pattern THEN 3
                        WHEN m.search_expertise LIKE pattern THEN 2
                        WHEN m.search_headline LIKE pattern THEN 1
                        ELSE 0
                    END DESC,
                    m.rating DESC NULLS LAST,
                    m.review_count DESC,
                    m.total_sessions DESC,
                    m.id ASC
                LIMIT wanted - cardinality(ids) OFFSET skipped
            );
        ELSE
            ids := ids || ARRAY(
                SELECT m.id
                FROM mentors AS m
                WHERE m.visibility = 'public' AND search_has(in_tier, m.number)
                ORDER BY
                    m.rating DESC NULLS LAST,
                    m.review_count DESC,
                    m.total_sessions DESC,
                    m.id ASC
                LIMIT wanted - cardinality(ids) OFFSET skipped
            );
        END IF;
        EXIT WHEN cardinality(ids) = wanted;
        skipped := 0;
    END LOOP;
    RETURN NEXT;
END
$$;

-- Looks at the next words of the vocabulary and deletes those that no public profile has, and the
-- rows of search_postings without a bit. `last` is the word to go on after, or NULL at the end.
--
-- Each change of a profile's words locks search_vocabulary in ROW EXCLUSIVE MODE until it commits.
-- So while this function holds its own lock, no such change is open, and the DELETEs see all words.
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
    SELECT
        max(v.word),
        array_agg(v.word) FILTER (WHERE coalesce(p.empty, TRUE))
    INTO last, unused
    FROM (
        SELECT word
        FROM search_vocabulary
        WHERE word > after
        ORDER BY word
        LIMIT most
    ) AS v
    LEFT JOIN LATERAL (
        SELECT bool_or(mentors = search_no_mentors()) AS empty
        FROM search_postings
        WHERE word = v.word
    ) AS p ON TRUE;

    IF unused IS NOT NULL THEN
        LOCK TABLE search_vocabulary IN SHARE ROW EXCLUSIVE MODE;
        DELETE FROM search_postings
        WHERE word = ANY (unused) AND mentors = search_no_mentors();
        DELETE FROM search_vocabulary AS v
        WHERE
            v.word = ANY (unused)
            AND NOT EXISTS (
                SELECT
                FROM search_postings AS p
                WHERE p.word = v.word
            );
        GET DIAGNOSTICS deleted = ROW_COUNT;
    END IF;
    RETURN NEXT;
EXCEPTION
    WHEN lock_not_available THEN
        deleted := 0;
        RETURN NEXT;
END
$$;
