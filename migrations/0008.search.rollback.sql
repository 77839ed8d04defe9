DROP FUNCTION search_mentors;
DROP FUNCTION search_having_all;
DROP FUNCTION search_finds;
DROP TRIGGER mentors_index_gone ON mentors;
DROP TRIGGER mentors_index_changed ON mentors;
DROP TRIGGER mentors_index_new ON mentors;
DROP FUNCTION mentors_index;
DROP FUNCTION search_rebuild;
DROP VIEW search_postings_recounted;
DROP FUNCTION search_words;
DROP FUNCTION search_numbers;
DROP FUNCTION search_has;
DROP FUNCTION search_bit;
DROP FUNCTION search_block;
DROP TABLE search_postings;
DROP INDEX mentors_best_first;

CREATE OR REPLACE FUNCTION words_in(words text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT coalesce(array_agg(DISTINCT left(w.word, 200)), '{}')
    FROM regexp_split_to_table(public.fold(words), '\s+') AS w (word)
    WHERE w.word <> ''
$$;

ALTER TABLE mentors
DROP COLUMN number,
ADD COLUMN search_words text[] GENERATED ALWAYS AS (
    words_in(fold(ARRAY[full_name, headline, bio] || expertise))
) STORED;

CREATE INDEX mentors_best_first ON mentors (
    rating DESC NULLS LAST, review_count DESC, total_sessions DESC, id
) WHERE visibility = 'public';

CREATE INDEX mentors_search ON mentors USING gin (search_words)
WHERE visibility = 'public';

CREATE OR REPLACE FUNCTION search_meaning(asked text)
RETURNS TABLE (word text, likeness real, exact boolean)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    WITH a AS MATERIALIZED (
        SELECT
            fold(asked) AS folded,
            containing(asked) AS pattern,
            containing_swapped(asked) AS swapped,
            char_length(regexp_replace(asked, '[^[:alnum:]]', '', 'g')) AS letters
    )

    SELECT
        v.word,
        similarity(a.folded, v.word),
        v.word LIKE a.pattern
    FROM a
    INNER JOIN search_vocabulary AS v
        ON
            v.word LIKE a.pattern
            OR (a.letters >= 4 AND a.folded <% v.word)
            OR (a.letters >= 5 AND v.word LIKE ANY (a.swapped))
$$;

ALTER TABLE search_vocabulary DROP COLUMN short_parts;
DROP FUNCTION short_parts;

-- It held the words of those who are public.
INSERT INTO search_vocabulary (word)
SELECT DISTINCT unnest(search_words)
FROM mentors
ON CONFLICT (word) DO NOTHING;

CREATE OR REPLACE FUNCTION mentors_learn_words() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    -- In order, so that two who learn the same words wait for each other and don't deadlock.
    INSERT INTO search_vocabulary (word)
    SELECT w.word
    FROM unnest(NEW.search_words) AS w (word)
    ORDER BY w.word
    ON CONFLICT (word) DO NOTHING;
    RETURN NULL;
END
$$;

CREATE TRIGGER mentors_words_new AFTER INSERT ON mentors
FOR EACH ROW EXECUTE FUNCTION mentors_learn_words();

CREATE TRIGGER mentors_words_changed AFTER UPDATE ON mentors
FOR EACH ROW WHEN (old.search_words IS DISTINCT FROM new.search_words)
EXECUTE FUNCTION mentors_learn_words();
