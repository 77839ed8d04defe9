DROP FUNCTION search_clean;

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

DO $$
BEGIN
    PERFORM search_rebuild();
END
$$;

CREATE OR REPLACE FUNCTION fold(words text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT public.fold(array_to_string(words, E'\n')) $$;

CREATE OR REPLACE FUNCTION fold(words text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT lower(public.unaccent('public.unaccent'::regdictionary, words)) $$;
