-- The way over for databases that were made before the migrations were squashed: those that have
-- applied 0001.schema to 0008.search, and perhaps some of 0009 to 0013. Each step can run twice. A
-- database that begins with today's 0001.schema has nothing to change.
-- depends: 0001.schema

-- New columns and constraints are checked while nothing writes (docs/upgrading.md).
-- squawk-ignore-file adding-not-nullable-field, ban-drop-constraint, ban-drop-function
-- squawk-ignore-file ban-drop-view, constraint-missing-not-valid, require-concurrent-index-creation

DO $$
BEGIN
    IF to_regclass('search_postings') IS NULL THEN
        RAISE EXCEPTION 'this database has not applied the migration 0008.search'
        USING HINT = 'Migrate it first with a version that has this migration.';
    END IF;
END
$$;

-- From 0010.search_limits: at most 500 words of a profile are kept.
DO $$
BEGIN
    IF to_regproc('search_rebuild') IS NOT NULL THEN
        EXECUTE $words$
            CREATE OR REPLACE FUNCTION search_words(
                name text, expertise text, headline text, bio text
            )
            RETURNS TABLE (word text, field smallint)
            LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 50
            AS $body$
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
            $body$
        $words$;
        PERFORM search_rebuild();
    END IF;
END
$$;

-- Functions, views and triggers now come from sql/functions/, which `migrate` applies after this.
-- CASCADE drops the triggers.
DROP VIEW IF EXISTS mentor_list, request_list, search_postings_recounted, session_list;
DROP FUNCTION IF EXISTS
act_for, availability_shape, bookings_count_completed, bookings_resequence, bookings_take_place,
calendar_status, change_shape, containing, containing_swapped, count_links, expiry_reason, has_text,
image_url, iso, mentor_card, mentor_free_time, mentor_page, mentor_profile, mentor_slots,
mentors_count, mentors_index, mentors_shrink_buffer, merge_links, minutes_between, party(mentors),
party(users), record_state_change, request_shape, request_status, requests_take_rate, review_shape,
reviews_count, search_bit, search_block, search_clean, search_finds, search_has, search_having_all,
search_meaning, search_mentors, search_numbers, search_rebuild, search_words, session_shape,
tell_lists, tell_mentor, tell_mentor_of_row, tell_mentors_reviewed, token_name, touch_updated_at,
users_rename_profile
CASCADE;

-- From 0009.general. Idempotency keys belong to a route; those kept under a path with an id would
-- never be found again.
ALTER TABLE users ADD COLUMN IF NOT EXISTS claims_issued_at bigint;

COMMENT ON COLUMN idempotency_keys.route IS 'method and path template';
COMMENT ON COLUMN idempotency_keys.fingerprint IS 'SHA-256 of the path''s ids and the body';

DELETE FROM idempotency_keys
WHERE route ~ '[0-9a-f]{8}-';

-- From 0010.search_limits: pg_upgrade works with PL/pgSQL here, and not with SQL.
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

-- From 0011.images: only the name of an uploaded image's file is stored.
UPDATE mentors
SET profile_image_url = NULL
WHERE profile_image_file IS NOT NULL AND profile_image_url IS NOT NULL;

COMMENT ON COLUMN mentors.profile_image_url IS
'An image elsewhere; null if the image was uploaded here. image_url(mentors) is what is shown.';

COMMENT ON COLUMN mentors.profile_image_file IS
'The name of the uploaded image''s file, or null.';

-- From 0013.requests: a request keeps its price; a profile knows whether its rate was ever set.
ALTER TABLE requests
ADD COLUMN IF NOT EXISTS session_rate numeric(12, 2),
ADD COLUMN IF NOT EXISTS session_currency text,
ADD COLUMN IF NOT EXISTS expired boolean NOT NULL DEFAULT FALSE;

UPDATE requests
SET
    session_rate = coalesce(booked.session_rate, m.session_rate),
    session_currency = coalesce(booked.session_currency, m.session_currency),
    location = nullif(r.location, '')
FROM requests AS r
INNER JOIN mentors AS m ON m.id = r.mentor_id
LEFT JOIN bookings AS booked ON booked.id = r.booking_id
WHERE r.id = requests.id AND requests.session_rate IS NULL;

ALTER TABLE requests
ALTER COLUMN session_rate SET NOT NULL,
ALTER COLUMN session_currency SET NOT NULL,
DROP CONSTRAINT IF EXISTS requests_session_rate,
ADD CONSTRAINT requests_session_rate CHECK (session_rate >= 0),
DROP CONSTRAINT IF EXISTS requests_session_currency,
ADD CONSTRAINT requests_session_currency CHECK (session_currency ~ '^[A-Z]{3}$'),
DROP CONSTRAINT IF EXISTS requests_expired_is_rejected,
ADD CONSTRAINT requests_expired_is_rejected CHECK (NOT expired OR status = 'rejected');

CREATE INDEX IF NOT EXISTS requests_pending_by_start ON requests (start_time)
WHERE status = 'pending';

ALTER TABLE mentors ADD COLUMN IF NOT EXISTS own_rate boolean NOT NULL DEFAULT FALSE;

CREATE TABLE IF NOT EXISTS applied_functions (
    -- SHA-256 of the files' text, and of the triggers in it
    hash text NOT NULL,
    triggers_hash text NOT NULL,
    -- each as DROP names it, such as 'view public.mentor_list'
    objects text[] NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT applied_functions_pkey PRIMARY KEY (hash)
);

-- None of them exists any more: they were dropped above.
DELETE FROM applied_functions;

-- Without their files, these would look newer than the code.
DELETE FROM _yoyo_migration
WHERE
    migration_id IN (
        '0002.rules', '0003.shapes', '0004.idempotency', '0005.calendar', '0006.discovery',
        '0007.history', '0008.search', '0009.general', '0010.search_limits', '0011.images',
        '0012.slots', '0013.requests'
    );
