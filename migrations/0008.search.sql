-- A search finds its mentors in bitmaps: a row for each word, field and block of mentors, a bit for
-- each mentor. To unite, intersect and count them takes a millisecond, whatever they hold. With a
-- row for each find, as before, the search of a common word took as long as there were mentors.
-- depends: 0007.history

-- It rewrites the mentors, which nobody reads meanwhile (docs/upgrading.md).
-- squawk-ignore-file adding-field-with-default, ban-drop-column, ban-drop-function
-- squawk-ignore-file constraint-missing-not-valid, disallowed-unique-constraint
-- squawk-ignore-file require-concurrent-index-creation, require-concurrent-index-deletion

DROP TRIGGER mentors_words_changed ON mentors;
DROP TRIGGER mentors_words_new ON mentors;
DROP FUNCTION mentors_learn_words;
DROP INDEX mentors_search;
DROP INDEX mentors_best_first;

ALTER TABLE mentors
DROP COLUMN search_words,
-- Which bit is the mentor's. Nobody gets that of one who is gone.
ADD COLUMN number integer GENERATED ALWAYS AS IDENTITY,
ADD CONSTRAINT mentors_number UNIQUE (number);

DROP FUNCTION words_in;

-- GET /mentors walks this from the top, and so does a search that finds many.
CREATE INDEX mentors_best_first ON mentors (
    rating DESC NULLS LAST, review_count DESC, total_sessions DESC, id
) INCLUDE (number) WHERE visibility = 'public';

-- The letters of a word and its pairs of letters: parts too short to have a trigram.
CREATE OR REPLACE FUNCTION short_parts(word text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT array_agg(DISTINCT substr(word, i, length))
    FROM generate_series(1, char_length(word)) AS i
    CROSS JOIN generate_series(1, 2) AS length
$$;

ALTER TABLE search_vocabulary
ADD COLUMN short_parts text[] GENERATED ALWAYS AS (short_parts(word)) STORED;

CREATE INDEX search_vocabulary_short_parts ON search_vocabulary USING gin (short_parts);

-- Which public mentors have a word in a field: the bits of mentors 16384 * block and following.
-- Most words are rare and most bits zeros: compressed they take some fifty bytes. PostgreSQL only
-- thinks of compressing a row of two kilobytes or more, and by default is content with just less.
CREATE TABLE search_postings (
    word text COLLATE "C" NOT NULL,
    -- the better a find there, the more: 4 name, 3 expertise, 2 headline, 1 bio
    field smallint NOT NULL,
    block integer NOT NULL,
    mentors bit(16384) NOT NULL,
    CONSTRAINT search_postings_pkey PRIMARY KEY (word, field, block)
) WITH (toast_tuple_target = 128);

ALTER TABLE search_postings ALTER COLUMN mentors SET STORAGE MAIN;

CREATE OR REPLACE FUNCTION search_block(number integer) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT number / 16384 $$;

CREATE OR REPLACE FUNCTION search_bit(number integer) RETURNS bit
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT set_bit(b'0'::bit(16384), number % 16384, 1) $$;

-- Whether a mentor is among those of all blocks, from the first one on.
CREATE OR REPLACE FUNCTION search_has(mentors bit(16384)[], number integer) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT get_bit(mentors[search_block(number) + 1], number % 16384) = 1 $$;

-- The numbers of the mentors of all blocks, from the first one on: every 1 ends a run of 0s.
CREATE OR REPLACE FUNCTION search_numbers(mentors bit(16384)[])
RETURNS TABLE (number integer)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 100
AS $$
    SELECT (
        (block.place - 1) * 16384 - 1
        + sum(length(zeros.run) + 1) OVER (PARTITION BY block.place ORDER BY zeros.place)
    )::integer
    FROM
        unnest(mentors) WITH ORDINALITY AS block (bits, place),
        string_to_table(block.bits::text, '1') WITH ORDINALITY AS zeros (run, place)
    WHERE zeros.place <= bit_count(block.bits)
$$;

-- The words of a profile's fields, which are folded. Longer ones than an index takes are cut.
CREATE OR REPLACE FUNCTION search_words(name text, expertise text, headline text, bio text)
RETURNS TABLE (word text, field smallint)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 50
AS $$
    SELECT DISTINCT
        left(w.word, 200),
        f.field
    FROM (
        VALUES (4::smallint, name), (3, expertise), (2, headline), (1, bio)
    ) AS f (field, words)
    CROSS JOIN LATERAL regexp_split_to_table(f.words, '\s+') AS w (word)
    WHERE w.word <> ''
$$;

-- search_postings as the profiles want it. There, a word that nobody has any more may have kept its
-- row, without a bit.
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

-- Makes what is kept for the search anew. Who would change a profile waits meanwhile.
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

DO $$
BEGIN
    PERFORM search_rebuild();
END
$$;

-- Turns the bits of the words that come and go, once for all mentors of a statement. In order, so
-- that two who turn the same bits wait for each other and don't deadlock. The bits of a mentor have
-- one writer at a time, who holds the lock on the profile.
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
        -- A review or a completed session changes a mentor, too; most often there is nothing to do.
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
        FROM come_or_gone AS c
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
REFERENCING NEW TABLE AS come_or_gone
FOR EACH STATEMENT EXECUTE FUNCTION mentors_index();

CREATE OR REPLACE TRIGGER mentors_index_changed AFTER UPDATE ON mentors
REFERENCING OLD TABLE AS old_mentors NEW TABLE AS new_mentors
FOR EACH STATEMENT EXECUTE FUNCTION mentors_index();

CREATE OR REPLACE TRIGGER mentors_index_gone AFTER DELETE ON mentors
REFERENCING OLD TABLE AS come_or_gone
FOR EACH STATEMENT EXECUTE FUNCTION mentors_index();

-- The words of profiles that a word of a search may mean: those that it is a part of (`exact`), and
-- those that it is like (above pg_trgm.word_similarity_threshold). Of short words too many are.
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
        v.word,
        similarity(a.folded, v.word),
        v.word LIKE a.pattern
    FROM a
    INNER JOIN search_vocabulary AS v
        ON
            v.short_parts @> a.short
            OR v.word LIKE a.long
            OR a.misspelt <% v.word
            OR v.word LIKE ANY (a.swapped)
$$;

-- Who of a block has one of the words, by its place in the search and by how good a match it is: of
-- words that the asked one is a part of, the better field comes first and then the more alike; of
-- those that it is only like, the more alike, and the bio last.
CREATE OR REPLACE FUNCTION search_finds(words text[])
RETURNS TABLE (place bigint, tier integer, block integer, mentors bit(16384))
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
        -- PostgreSQL expects thousands of meanings, and would rather read all postings there are.
        -- OFFSET keeps it from that.
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

-- Who of each block has all words of a search in this tier or in better ones. The arrays hold the
-- rows of search_finds: to unnest them would copy all bits each time.
CREATE OR REPLACE FUNCTION search_having_all(
    words integer,
    places bigint[],
    tiers integer[],
    blocks integer[],
    finds bit(16384)[],
    least_tier integer
)
RETURNS TABLE (block integer, mentors bit(16384))
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

-- How many public mentors have each of these words, and a page of their ids, best first: a mentor
-- is as good a match as the weakest of the words, and equals stand as in the list. Where few are
-- equal, those who have the phrase come first; of many nobody reads the texts.
CREATE OR REPLACE FUNCTION search_mentors(
    words text[], phrase text, wanted bigint, skipped bigint
)
RETURNS TABLE (total bigint, ids uuid[])
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 1
-- To plan for each call would take longer than what is planned.
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    none CONSTANT bit(16384) := b'0'::bit(16384);
    pattern CONSTANT text := containing(phrase);
    places bigint[];
    tiers integer[];
    blocks integer[];
    finds bit(16384)[];
    this_tier integer;
    better bit(16384)[];
    so_good bit(16384)[];
    here bit(16384)[];
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
        SELECT array_agg(coalesce(has_all.mentors, none) ORDER BY b.block) INTO so_good
        FROM generate_series(0, (SELECT max(b.block) FROM unnest(blocks) AS b (block))) AS b (block)
        LEFT JOIN
            search_having_all(
                cardinality(words), places, tiers, blocks, finds, this_tier
            ) AS has_all
            ON has_all.block = b.block;

        IF better IS NULL THEN
            here := so_good;
        ELSE
            SELECT array_agg(so_good[b] & ~better[b] ORDER BY b) INTO here
            FROM generate_subscripts(so_good, 1) AS b;
        END IF;
        better := so_good;
        SELECT sum(bit_count(here[b])) INTO matches
        FROM generate_subscripts(here, 1) AS b;

        IF matches <= skipped THEN
            skipped := skipped - matches;
            CONTINUE;
        END IF;
        -- To sort a find takes as long as to pass twenty mentors on the way down the list.
        IF
            (cardinality(words) > 1 AND matches <= 1000)
            OR 20 * matches * matches < (wanted + skipped) * cardinality(here) * 16384
        THEN
            ids := ids || ARRAY(
                SELECT m.id
                FROM mentors AS m
                WHERE m.number = ANY (ARRAY(SELECT s.number FROM search_numbers(here) AS s))
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
                WHERE m.visibility = 'public' AND search_has(here, m.number)
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
