-- pg_upgrade restores a table before the dictionary that its generated columns use. It inlines
-- functions in SQL there and fails; it does not look into functions in PL/pgSQL. Other functions of
-- stored columns and indexes use built-in ones only.
-- depends: 0008.search

CREATE OR REPLACE FUNCTION fold(words text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
    RETURN lower(public.unaccent('public.unaccent'::regdictionary, words));
END
$$;

CREATE OR REPLACE FUNCTION fold(words text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
    RETURN lower(
        public.unaccent('public.unaccent'::regdictionary, array_to_string(words, E'\n'))
    );
END
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

-- The words of profiles that a word of a search may mean: those that it is a part of (`exact`), and
-- those that it is like (above pg_trgm.word_similarity_threshold). Of short words too many are.
-- At most 5,000, the shortest first: each of them is looked up.
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

-- Looks at the next words of the vocabulary and deletes those that no public profile has, and the
-- rows of search_postings without a bit. `last` is the word to go on after; NULL at the end.
--
-- Each change of a profile's words first locks search_vocabulary in ROW EXCLUSIVE MODE, until it is
-- committed. So with the lock below none is under way, and the DELETEs see all that there were.
CREATE OR REPLACE FUNCTION search_clean(after text, most integer)
RETURNS TABLE (deleted bigint, last text)
LANGUAGE plpgsql
-- Changes of profiles wait behind this one. When it gets no lock, the next round catches up.
SET lock_timeout = '200ms'
AS $$
DECLARE
    none CONSTANT bit(16384) := b'0'::bit(16384);
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
        SELECT bool_or(mentors = none) AS empty
        FROM search_postings
        WHERE word = v.word
    ) AS p ON TRUE;

    IF unused IS NOT NULL THEN
        LOCK TABLE search_vocabulary IN SHARE ROW EXCLUSIVE MODE;
        DELETE FROM search_postings
        WHERE word = ANY (unused) AND mentors = none;
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

-- Profiles with more words than are kept from now on.
DO $$
BEGIN
    PERFORM search_rebuild();
END
$$;
