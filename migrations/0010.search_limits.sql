-- pg_upgrade restores a table before the dictionary that its generated columns use. There it inlines
-- functions in SQL, and fails; it does not look into functions in PL/pgSQL. The other functions of
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
