-- The extensions stay: others in the database may use them. Functions, views and triggers go first,
-- since they use the tables.
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
DROP TABLE applied_functions;
DROP TABLE state_changes;
DROP TABLE idempotency_keys;
DROP TABLE reviews;
ALTER TABLE requests DROP CONSTRAINT requests_booking_fkey;
DROP TABLE bookings;
DROP TABLE requests;
DROP TABLE availability_windows;
DROP TABLE search_postings;
DROP TABLE search_vocabulary;
DROP TABLE mentor_counts;
DROP TABLE mentors;
DROP TABLE users;
DROP FUNCTION booking_is_live(text);
DROP FUNCTION occupied(timestamptz, timestamptz, integer);
DROP FUNCTION short_parts(text);
DROP FUNCTION fold(text[]);
DROP FUNCTION fold(text);
DROP FUNCTION public.uuidv7();
