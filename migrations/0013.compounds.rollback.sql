-- Functions, views and triggers go: they are those of the newer code. `migrate` of the older code
-- makes its own again and fills the tables.
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
TRUNCATE search_postings, search_vocabulary;
