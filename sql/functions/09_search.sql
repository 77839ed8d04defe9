-- The index of the search for mentors, of its filters and of its counts.
--
-- WHAT IS SEARCHED. Name, expertise, headline and bio of each public profile. search_split() splits
-- a folded text into words, the same way for profiles and for searches. Filters look at the whole
-- expertise, the languages, the currency with the rate, the duration and the rating.
--
-- HOW IT IS KEPT. In two tables, which the trigger mentors_index() changes:
--
-- * search_postings has a bitmap for each field, word and block of mentors, with a bit for each
--   mentor of the block. A mentor's column `number` says which bit: bit number % block size of
--   block number / block size. No number is used twice. If mentors 1 and 3 have `chess` in their
--   bio, the bitmap of bio, `chess` and block 0 is 01010000… For filters there are words of two
--   lines: what a filter asks for, and what the profile shows.
--
--       expertise  `cafe culture`, `Café culture`   a folded entry, its spelling
--       language   `zh`, `zh-Hans`                  a range of languages, the language
--       currency   `EUR`, `0000000050.00`           the currency, the rate
--       duration   `60`, ``                         the minutes, nothing
--       rating     ``, `4.8`                        nothing, the rating
--
-- * search_vocabulary has the words that texts have or had. Its column `keys`, with a GIN index,
--   finds the words that a word of a search may mean.
--
-- NO WRITER WAITS FOR ANOTHER, although many profiles share a bitmap. The view search_bitmaps shows
-- the bitmaps: each is the XOR of its rows in search_postings. A change of a profile merges the
-- rows that no other transaction has locked into one of them and flips bits in it. If all are
-- locked, it inserts a row. So a bitmap has several rows only from the time when several
-- transactions change it until its next change. A word that two transactions add at once has two
-- rows in search_vocabulary.
--
-- HOW A SEARCH RUNS: see 11_find_mentors.sql.
--
-- TYPING ERRORS are found without comparing words. Each word of the vocabulary has as keys all its
-- variants with a blank in the place of one letter, such as `d sign`. A search for `dexign` or
-- `dsign` looks for its own variants with a blank in the place of a letter or between two letters.
-- One letter too many and two letters swapped need no key: the search looks for the corrected word.
--
-- WHY BITMAPS. To unite, intersect and count bitmaps takes a millisecond, however many mentors have
-- the word. docs/decisions.md has the measurements of the alternatives. Most words are rare, so
-- most bits are 0: compressed, a bitmap takes some fifty bytes.
--
-- CLEANING. A word that no profile has any more stays in the vocabulary until search_clean() runs.
-- search_rebuild() fills both tables again from the profiles; `migrate` calls it if there are no
-- postings. The view search_postings_recounted shows what the bitmaps should be;
-- deploy/database/drift.sql compares.
--
-- THE BLOCK SIZE is 16384 mentors: search_block_size(), and the type of search_postings.mentors.
-- A change of a profile rewrites one bitmap for each word that it adds or removes.

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

-- A text without the differences that a search ignores: case, accents, vowel signs of Arabic and
-- Hebrew, invisible characters, and the forms that Unicode calls compatible (NFKC), such as
-- half-width katakana. A long dash is a blank; unaccent() would make it a hyphen. All that takes
-- 40 microseconds for a short bio, and most bios are ASCII.
CREATE OR REPLACE FUNCTION fold(words text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT CASE
        WHEN octet_length(words) = char_length(words) THEN lower(words)
        ELSE replace(
            lower(unaccent(translate(
                normalize(
                    regexp_replace(
                        normalize(words, NFKD),
                        '[\u0300-\u036f\u0591-\u05c7\u0640\u064b-\u065f\u0670'
                        '\u00ad\u200b-\u200f\u2060\ufe00-\ufe0f\ufeff]',
                        '', 'g'
                    ),
                    NFKC
                ),
                '–—―', '   '
            ))),
            'ς', 'σ'
        )
    END
$$;

-- The words of a folded text. Blanks, brackets, quotation marks, commas, semicolons, bars, slashes
-- and several dots or colons separate words. Marks before and after a word do not belong to it:
-- `C++,` and `(.NET)` are the words c++ and .net. Longer words than an index takes are cut.
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
                words, '(?:[\s/,;|()\[\]{}<>"“”„«»、。・「」]|\.{2,}|:{2,})+'
            ) AS split (piece)
        WHERE split.piece <> ''
    ) AS trimmed
$$;

-- The separators in a folded text, except blanks. A search of separators only looks for them.
CREATE OR REPLACE FUNCTION search_separators(words text) RETURNS TABLE (separator text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 5
AS $$
    SELECT s.separator
    FROM string_to_table('/,;|()[]{}<>"“”„«»、。・「」.:', NULL) AS s (separator)
    WHERE strpos(words, s.separator) > 0
$$;

-- Further words of a text, for typing errors and joined spellings: `straße` beside `strasse`, since
-- a slip at ß is one letter, `cicd` for `ci/cd`, and `frontend` beside `front-end`.
CREATE OR REPLACE FUNCTION search_variants(words text, folded text)
RETURNS TABLE (word text)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 2
AS $$
    -- unaccent() does not know U+E000, and makes ß two letters.
    SELECT replace(s.word, U&'\E000', 'ß')
    FROM search_split(fold(translate(words, 'ßẞ', U&'\E000\E000'))) AS s
    WHERE words ~ '[ßẞ]' AND strpos(s.word, U&'\E000') > 0
    UNION ALL
    SELECT left(regexp_replace(joined.words[1], '[^[:alnum:]]', '', 'g'), 200)
    FROM regexp_matches(folded, '[[:alnum:]]+(?:[-/_.][[:alnum:]]+)+', 'g') AS joined (words)
    -- Not 25 for 2.5.
    WHERE joined.words[1] ~ '[[:alpha:]]'
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

-- The ranges that find a language tag (RFC 4647, basic filtering): zh-Hans-CN is found by itself,
-- by zh-Hans and by zh.
CREATE OR REPLACE FUNCTION language_ranges(tag text) RETURNS TABLE (language_range text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 2
AS $$
    SELECT array_to_string(split.parts[:n], '-')
    FROM string_to_array(tag, '-') AS split (parts)
    CROSS JOIN LATERAL generate_series(1, cardinality(split.parts)) AS n
$$;

-- What a filter asks for: an expertise without differences of case, accents and blanks.
CREATE OR REPLACE FUNCTION expertise_key(expertise text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT left(btrim(regexp_replace(fold(expertise), '\s+', ' ', 'g')), 200) $$;

-- The entries of search_postings by which filters find a profile.
CREATE OR REPLACE FUNCTION filter_terms(m mentors) RETURNS TABLE (field text, word text)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 10
AS $$
    SELECT
        'expertise',
        concat_ws(E'\n', expertise_key(e.value), btrim(e.value))
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
    UNION
    SELECT
        'rating',
        concat_ws(E'\n', '', m.rating)
    WHERE m.rating IS NOT NULL
$$;

-- The entries of search_postings by which a search finds a profile. At most 500 words are kept,
-- from the name on: a long bio has some 400 different ones. For searches of one letter there are
-- the first letters of the words (`c `) and all their letters (` c `), since too many words contain
-- a letter. A separator is kept as a letter is.
CREATE OR REPLACE FUNCTION search_terms(m mentors) RETURNS TABLE (field text, word text)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 100
AS $$
    WITH texts AS MATERIALIZED (
        SELECT
            f.place,
            f.field,
            f.words,
            fold(f.words) AS folded
        FROM (
            VALUES
            (1, 'name', concat_ws(E'\n', m.full_name, array_to_string(m.expertise, E'\n'))),
            (2, 'headline', m.headline),
            (3, 'bio', m.bio)
        ) AS f (place, field, words)
    ),

    words AS MATERIALIZED (
        SELECT
            f.place,
            f.field,
            w.word,
            w.place AS word_place
        FROM texts AS f
        CROSS JOIN LATERAL search_split(f.folded) WITH ORDINALITY AS w (word, place)
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
            UNION ALL
            SELECT
                f.place,
                f.field,
                v.word,
                2000
            FROM texts AS f
            CROSS JOIN LATERAL search_variants(f.words, f.folded) AS v
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
    UNION
    SELECT
        f.field,
        ' ' || s.separator || ' '
    FROM texts AS f
    CROSS JOIN LATERAL search_separators(f.folded) AS s
$$;

CREATE OR REPLACE FUNCTION profile_terms(m mentors) RETURNS TABLE (field text, word text)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 60
AS $$
    SELECT * FROM search_terms(m)
    UNION ALL
    SELECT * FROM filter_terms(m)
$$;

-- The keys by which a word of the vocabulary is found: its parts of two and three letters and, from
-- four letters on, its variants with a blank instead of a letter.
CREATE OR REPLACE FUNCTION search_keys(word text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT
        array_agg(substr(word, i, 2)) || array_agg(substr(word, i, 3))
        || array_agg(overlay(word PLACING ' ' FROM i FOR 1)) FILTER (WHERE char_length(word) >= 4)
    FROM generate_series(1, char_length(word)) AS i
$$;

-- The bitmaps of search_postings that have a bit. Conditions on its columns reach the index.
CREATE OR REPLACE VIEW search_bitmaps AS
SELECT
    field,
    word,
    block,
    bit_xor(mentors) AS mentors
FROM search_postings
GROUP BY field, word, block
HAVING bit_xor(mentors) <> search_no_mentors();

-- How many public mentors there are: each has one duration. To count the profiles would take too
-- long. A stored number would be one row for which all writers wait. This view does not read
-- search_bitmaps: a query would lock public_mentor_count and then search_bitmaps, `migrate` locks
-- them in the opposite order, and the two could deadlock.
CREATE OR REPLACE VIEW public_mentor_count AS
SELECT coalesce(sum(bit_count(bitmap.mentors)), 0)::bigint AS mentors
FROM (
    SELECT bit_xor(p.mentors) AS mentors
    FROM search_postings AS p
    WHERE p.field = 'duration'
    GROUP BY p.word, p.block
) AS bitmap;

-- What search_bitmaps should show, computed from the profiles.
CREATE OR REPLACE VIEW search_postings_recounted AS
SELECT
    part.field,
    part.word,
    search_block(64 * part.n) AS block,
    bit_or(
        overlay(
            search_no_mentors(), part.mentors::bit(64), 64 * part.n % search_block_size() + 1
        )
    ) AS mentors
FROM (
    -- 64 mentors at a time: to unite bitmaps of whole blocks takes three times as long.
    SELECT
        t.field,
        t.word,
        m.number / 64 AS n,
        bit_or(1::bigint << 63 - m.number % 64) AS mentors
    FROM mentors AS m
    CROSS JOIN LATERAL profile_terms(m) AS t
    WHERE m.visibility = 'public'
    GROUP BY t.field, t.word, m.number / 64
) AS part
GROUP BY part.field, part.word, search_block(64 * part.n);

-- Fills both tables again. Changes of profiles wait meanwhile.
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

-- Adds the words of texts that the vocabulary does not have.
CREATE OR REPLACE FUNCTION search_add_words(fields text[], words text[]) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO search_vocabulary (word, keys)
    SELECT DISTINCT
        w.word,
        search_keys(w.word)
    FROM unnest(fields, words) AS w (field, word)
    INNER JOIN search_texts() AS f ON f.field = w.field
    WHERE
        strpos(w.word, ' ') = 0
        AND NOT EXISTS (
            SELECT
            FROM search_vocabulary AS v
            WHERE v.word = w.word
        );
END
$$;

-- Changes bits of bitmaps from 0 to 1 or from 1 to 0.
--
-- In:  which bits, as three arrays of one length: field, word and number of the mentor.
-- Out: nothing. It changes search_postings, and search_bitmaps shows the new bits.
--
-- A bitmap is the XOR of its rows in search_postings. XOR with a 1 flips a bit. So the 1s may go
-- into any row of the bitmap, also into a new one. This function locks the rows that no other
-- transaction has locked, and makes one row of these and of the 1s. If it can lock none, the 1s
-- become a new row, so it never waits.
--
-- Example, with blocks of four mentors: row 5 of a bitmap is 0110 and row 9 is 0001, so the bitmap
-- is 0111. The bit of mentor 1, the second bit, is to be flipped: 0100. If both rows can be
-- locked, row 5 becomes 0110 XOR 0001 XOR 0100 = 0011, and row 9 is deleted. If another transaction
-- has locked both, a row 0100 is inserted. In both cases, the bitmap is 0011.
CREATE OR REPLACE FUNCTION search_flip(fields text[], words text[], numbers integer[]) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    locked search_postings[];
BEGIN
    -- 1. Lock and read the rows of these bitmaps. The lock may find a row that was committed during
    -- this statement. Only the next statement sees it, so the changes are made there.
    SELECT array_agg(l.posting) INTO locked
    FROM (
        SELECT p AS posting
        FROM (
            SELECT DISTINCT
                t.field,
                t.word,
                search_block(t.number) AS block
            FROM unnest(fields, words, numbers) AS t (field, word, number)
        ) AS b
        INNER JOIN search_postings AS p ON (p.field, p.word, p.block) = (b.field, b.word, b.block)
        FOR UPDATE OF p SKIP LOCKED
    ) AS l;

    -- 2. The bits to flip in each bitmap.
    WITH flips AS (
        SELECT
            t.field,
            t.word,
            search_block(t.number) AS block,
            bit_or(search_bit(t.number)) AS mentors
        FROM unnest(fields, words, numbers) AS t (field, word, number)
        GROUP BY t.field, t.word, search_block(t.number)
    ),

    -- 3. The row that a bitmap has afterwards. `id` is the locked row to change, null if it is new.
    merged AS (
        SELECT
            r.field,
            r.word,
            r.block,
            min(r.id) AS id,
            bit_xor(r.mentors) AS mentors,
            bit_xor(r.mentors) = search_no_mentors() AS is_empty
        FROM (
            SELECT
                NULL::bigint AS id,
                f.field,
                f.word,
                f.block,
                f.mentors
            FROM flips AS f
            UNION ALL
            SELECT
                l.id,
                l.field,
                l.word,
                l.block,
                l.mentors
            FROM unnest(locked) AS l
        ) AS r
        GROUP BY r.field, r.word, r.block
    ),

    -- 4. Change it, delete the others, or insert it. No row is kept without a bit.
    changed AS (
        UPDATE search_postings AS p
        SET mentors = m.mentors
        FROM merged AS m
        WHERE
            (p.field, p.word, p.block, p.id) = (m.field, m.word, m.block, m.id)
            AND NOT m.is_empty
    ),

    deleted AS (
        DELETE FROM search_postings AS p
        USING unnest(locked) AS l
        INNER JOIN merged AS m ON (m.field, m.word, m.block) = (l.field, l.word, l.block)
        WHERE
            (p.field, p.word, p.block, p.id) = (l.field, l.word, l.block, l.id)
            AND (l.id <> m.id OR m.is_empty)
    )

    INSERT INTO search_postings (field, word, block, mentors)
    SELECT
        m.field,
        m.word,
        m.block,
        m.mentors
    FROM merged AS m
    WHERE m.id IS NULL;
END
$$;

-- Brings the index up to date after a statement, once for all mentors that it changed: finds them,
-- compares their words before and after, and flips the bits that differ. The bits of a mentor have
-- one writer at a time: the transaction that holds the lock on the profile.
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
        SELECT array_agg(ROW(o.*)::mentors), array_agg(ROW(n.*)::mentors)
        INTO before, after
        FROM old_mentors AS o
        INNER JOIN new_mentors AS n ON n.number = o.number
        WHERE
            (
                o.full_name, o.expertise, o.headline, o.bio, o.visibility, o.languages,
                o.session_rate, o.session_currency, o.session_duration, o.rating
            ) IS DISTINCT FROM (
                n.full_name, n.expertise, n.headline, n.bio, n.visibility, n.languages,
                n.session_rate, n.session_currency, n.session_duration, n.rating
            );
    END IF;
    -- Completed sessions change a mentor's row, but not its words.
    IF before IS NULL AND after IS NULL THEN
        RETURN NULL;
    END IF;

    -- A word that a profile has both before and after stands here twice, and has not changed.
    SELECT
        array_agg(turned.field),
        array_agg(turned.word),
        array_agg(turned.number)
    INTO fields, words, numbers
    FROM (
        SELECT
            t.field,
            t.word,
            m.number
        FROM unnest(before || after) AS m
        CROSS JOIN LATERAL profile_terms(m) AS t
        WHERE m.visibility = 'public'
        GROUP BY t.field, t.word, m.number
        HAVING count(*) = 1
    ) AS turned;
    IF words IS NOT NULL THEN
        PERFORM search_add_words(fields, words);
        PERFORM search_flip(fields, words, numbers);
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

-- Whether a public profile has a word of the vocabulary.
CREATE OR REPLACE FUNCTION search_uses(word text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT bool_or(p.found IS NOT NULL)
    FROM search_texts() AS f
    LEFT JOIN LATERAL (
        SELECT TRUE AS found
        FROM search_bitmaps
        WHERE field = f.field AND search_bitmaps.word = search_uses.word
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
