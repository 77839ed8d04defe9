-- Functions, views and triggers go: they are those of the newer code. `migrate` of the older code
-- makes its own again. After that, `SELECT search_rebuild()` fills the tables.
DO $$
DECLARE
    object text;
BEGIN
    FOR object IN
        SELECT o.object
        FROM applied_functions AS a
        CROSS JOIN unnest(a.objects) WITH ORDINALITY AS o (object, place)
        ORDER BY o.place
    LOOP
        EXECUTE regexp_replace(object, '^\w+', 'DROP \& IF EXISTS');
    END LOOP;
END
$$;
DELETE FROM applied_functions;

DROP INDEX mentors_newest_first;
DROP INDEX mentors_cheapest_first;
DROP TABLE search_postings;
DROP TABLE search_vocabulary;

CREATE FUNCTION fold(words text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
    RETURN lower(public.unaccent('public.unaccent'::regdictionary, words));
END
$$;

CREATE FUNCTION fold(words text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
    RETURN lower(
        public.unaccent('public.unaccent'::regdictionary, array_to_string(words, E'\n'))
    );
END
$$;

CREATE FUNCTION short_parts(word text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT array_agg(DISTINCT substr(word, i, length))
    FROM generate_series(1, char_length(word)) AS i
    CROSS JOIN generate_series(1, 2) AS length
$$;

ALTER TABLE mentors
ADD COLUMN search_name text GENERATED ALWAYS AS (fold(coalesce(full_name, ''))) STORED,
ADD COLUMN search_expertise text GENERATED ALWAYS AS (fold(expertise)) STORED,
ADD COLUMN search_headline text GENERATED ALWAYS AS (fold(coalesce(headline, ''))) STORED,
ADD COLUMN search_bio text GENERATED ALWAYS AS (fold(coalesce(bio, ''))) STORED;

CREATE TABLE search_vocabulary (
    word text COLLATE "C" NOT NULL,
    short_parts text[] GENERATED ALWAYS AS (short_parts(word)) STORED,
    CONSTRAINT search_vocabulary_pkey PRIMARY KEY (word)
);

CREATE INDEX search_vocabulary_trigrams ON search_vocabulary USING gin (word gin_trgm_ops);
CREATE INDEX search_vocabulary_short_parts ON search_vocabulary USING gin (short_parts);

CREATE TABLE search_postings (
    word text COLLATE "C" NOT NULL,
    field smallint NOT NULL,
    block integer NOT NULL,
    mentors bit(16384) NOT NULL,
    CONSTRAINT search_postings_pkey PRIMARY KEY (word, field, block)
) WITH (toast_tuple_target = 128);

ALTER TABLE search_postings ALTER COLUMN mentors SET STORAGE MAIN;
