-- Functions, views and triggers go first, since they use the columns and the tables. The code that
-- is started next applies its own.
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
ALTER TABLE mentors DROP COLUMN languages;
