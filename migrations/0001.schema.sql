-- The tables, their constraints and indexes.
--
-- Names are API: the server tells errors apart by constraint name, tests find indexes by name.
-- Instants are timestamptz, ranges half-open '[)', durations whole minutes, money numeric.
--
-- Functions, views and triggers are in sql/functions/. Only those are here that a column default, a
-- generated column, an index or a constraint needs. Such a function must not change what it
-- returns: PostgreSQL does not compute again what it has stored.

CREATE EXTENSION IF NOT EXISTS btree_gist;
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS unaccent;

-- For the default of each id. PostgreSQL 18 has a uuidv7(); 15 to 17 get one here (RFC 9562,
-- section 5.7: 48 bits of milliseconds, then version, variant and random bits). pg_catalog comes
-- first on the search path, so after an upgrade to 18 the server's own is used.
CREATE OR REPLACE FUNCTION uuidv7() RETURNS uuid
LANGUAGE sql VOLATILE PARALLEL SAFE
AS $$
    SELECT encode(
        set_bit(
            set_bit(
                overlay(
                    uuid_send(gen_random_uuid())
                    PLACING substring(
                        int8send((extract(EPOCH FROM clock_timestamp()) * 1000)::bigint) FROM 3
                    )
                    FROM 1 FOR 6
                ), 52, 1
            ), 53, 1
        ), 'hex'
    )::uuid
$$;

-- For the columns mentors.search_…: folds case and accents. unaccent() is STABLE only because its
-- dictionary can be altered; this one comes with the extension.
--
-- In PL/pgSQL because of pg_upgrade. It restores a table before the dictionary that its generated
-- columns use. It inlines SQL functions at that point and fails; it does not look into PL/pgSQL.
CREATE OR REPLACE FUNCTION fold(words text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
    RETURN lower(public.unaccent('public.unaccent'::regdictionary, words));
END
$$;

-- For mentors.search_expertise. array_to_string() is STABLE because the output of some types
-- depends on settings; that of text does not.
CREATE OR REPLACE FUNCTION fold(words text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
    RETURN lower(
        public.unaccent('public.unaccent'::regdictionary, array_to_string(words, E'\n'))
    );
END
$$;

-- For search_vocabulary.short_parts: the letters of a word and its pairs of letters, which are too
-- short to have a trigram.
CREATE OR REPLACE FUNCTION short_parts(word text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT array_agg(DISTINCT substr(word, i, length))
    FROM generate_series(1, char_length(word)) AS i
    CROSS JOIN generate_series(1, 2) AS length
$$;

-- For bookings_no_overlap: the time of a session and the buffer after it. Widening the end alone
-- keeps the gap on both sides, since the session before has its own buffer. timestamptz + interval
-- is STABLE because of days and months; minutes do not depend on the time zone.
CREATE OR REPLACE FUNCTION occupied(
    start_time timestamptz, end_time timestamptz, buffer_time integer
) RETURNS tstzrange
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT tstzrange(start_time, end_time + make_interval(mins => buffer_time)) $$;

-- For bookings.live.
CREATE OR REPLACE FUNCTION booking_is_live(status text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT status IN ('pending', 'confirmed', 'rescheduled', 'in_progress') $$;

-- People, as their tokens describe them. The id is the token's `sub`.
CREATE TABLE users (
    id text NOT NULL,
    name text,
    email text,
    picture text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    -- `iat` of the token that name, email and picture came from, in seconds since 1970. Null: the
    -- token had none, and counts as older than any other.
    claims_issued_at bigint,
    CONSTRAINT users_pkey PRIMARY KEY (id),
    CONSTRAINT users_id_length CHECK (char_length(id) BETWEEN 1 AND 255)
);

CREATE TABLE mentors (
    id uuid NOT NULL DEFAULT uuidv7(),
    user_id text NOT NULL,
    full_name text,
    headline text,
    bio text,
    expertise text[] NOT NULL DEFAULT '{}',
    location text,
    profile_image_url text,
    profile_image_file text,
    -- until the mentor sets them, name and picture are those of the user
    own_name boolean NOT NULL DEFAULT FALSE,
    own_image boolean NOT NULL DEFAULT FALSE,
    links jsonb NOT NULL DEFAULT '{}',
    session_duration integer NOT NULL DEFAULT 60,
    buffer_time integer NOT NULL DEFAULT 0,
    -- a label to show; nothing is computed with it
    timezone text NOT NULL DEFAULT 'UTC',
    default_meeting_link text,
    session_rate numeric(12, 2) NOT NULL DEFAULT 0,
    session_currency text NOT NULL DEFAULT 'NGN',
    visibility text NOT NULL DEFAULT 'public',
    -- kept by triggers on reviews and bookings
    review_count integer NOT NULL DEFAULT 0,
    rating_sum integer NOT NULL DEFAULT 0,
    rating numeric(2, 1) GENERATED ALWAYS AS (
        round(rating_sum::numeric / nullif(review_count, 0), 1)
    ) STORED,
    total_sessions integer NOT NULL DEFAULT 0,
    -- the folded texts that the search looks at
    search_name text GENERATED ALWAYS AS (fold(coalesce(full_name, ''))) STORED,
    search_expertise text GENERATED ALWAYS AS (fold(expertise)) STORED,
    search_headline text GENERATED ALWAYS AS (fold(coalesce(headline, ''))) STORED,
    search_bio text GENERATED ALWAYS AS (fold(coalesce(bio, ''))) STORED,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    -- the mentor's bit in search_postings; no number is used twice
    number integer NOT NULL GENERATED ALWAYS AS IDENTITY,
    -- whether the mentor has set the rate: 0 is the default, and may be meant
    own_rate boolean NOT NULL DEFAULT FALSE,
    CONSTRAINT mentors_pkey PRIMARY KEY (id),
    CONSTRAINT mentors_number UNIQUE (number),
    CONSTRAINT mentors_one_per_user UNIQUE (user_id),
    CONSTRAINT mentors_user_fkey FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT mentors_session_duration CHECK (session_duration IN (30, 60, 90, 120)),
    CONSTRAINT mentors_buffer_time CHECK (buffer_time IN (0, 15, 30, 45)),
    CONSTRAINT mentors_session_rate CHECK (session_rate >= 0),
    CONSTRAINT mentors_session_currency CHECK (session_currency ~ '^[A-Z]{3}$'),
    CONSTRAINT mentors_visibility CHECK (visibility IN ('public', 'private')),
    CONSTRAINT mentors_links_object CHECK (jsonb_typeof(links) = 'object'),
    CONSTRAINT mentors_counts CHECK (
        review_count >= 0
        AND total_sessions >= 0
        AND rating_sum BETWEEN review_count AND 5 * review_count
    )
);

COMMENT ON COLUMN mentors.profile_image_url IS
'An image elsewhere; null if the image was uploaded here. image_url(mentors) is what is shown.';

COMMENT ON COLUMN mentors.profile_image_file IS
'The name of the uploaded image''s file, or null.';

-- GET /mentors walks this from the top, and so does a search that finds many.
CREATE INDEX mentors_best_first ON mentors (
    rating DESC NULLS LAST, review_count DESC, total_sessions DESC, id
) INCLUDE (number) WHERE visibility = 'public';

-- How many mentors there are, kept by a trigger: to count them takes too long.
CREATE TABLE mentor_counts (
    visibility text NOT NULL,
    mentors bigint NOT NULL,
    CONSTRAINT mentor_counts_pkey PRIMARY KEY (visibility),
    CONSTRAINT mentor_counts_not_negative CHECK (mentors >= 0)
);

INSERT INTO mentor_counts (visibility, mentors)
VALUES ('public', 0), ('private', 0);

-- The two tables of the search; sql/functions/09_search.sql explains them.
--
-- All words that profiles have or had.
CREATE TABLE search_vocabulary (
    word text COLLATE "C" NOT NULL,
    short_parts text[] GENERATED ALWAYS AS (short_parts(word)) STORED,
    CONSTRAINT search_vocabulary_pkey PRIMARY KEY (word)
);

CREATE INDEX search_vocabulary_trigrams ON search_vocabulary USING gin (word gin_trgm_ops);
CREATE INDEX search_vocabulary_short_parts ON search_vocabulary USING gin (short_parts);

-- Which public mentors have a word in a field, as a bitmap for each block of mentors. The width is
-- search_block_size(). PostgreSQL compresses only rows above toast_tuple_target, 2 kB by default.
CREATE TABLE search_postings (
    word text COLLATE "C" NOT NULL,
    -- the better a match there, the higher: 4 name, 3 expertise, 2 headline, 1 bio
    field smallint NOT NULL,
    block integer NOT NULL,
    mentors bit(16384) NOT NULL,
    CONSTRAINT search_postings_pkey PRIMARY KEY (word, field, block)
) WITH (toast_tuple_target = 128);

ALTER TABLE search_postings ALTER COLUMN mentors SET STORAGE MAIN;

-- Weekly windows, in UTC. Monday is 0. A window may end at 24:00.
CREATE TABLE availability_windows (
    id uuid NOT NULL DEFAULT uuidv7(),
    mentor_id uuid NOT NULL,
    day_of_week smallint NOT NULL,
    start_time time NOT NULL,
    end_time time NOT NULL,
    CONSTRAINT availability_windows_pkey PRIMARY KEY (id),
    CONSTRAINT availability_windows_mentor_fkey
    FOREIGN KEY (mentor_id) REFERENCES mentors (id) ON DELETE CASCADE,
    CONSTRAINT availability_windows_day_of_week CHECK (day_of_week BETWEEN 0 AND 6),
    CONSTRAINT availability_windows_order CHECK (start_time < end_time),
    CONSTRAINT availability_windows_whole_minutes CHECK (
        extract(SECOND FROM start_time) = 0 AND extract(SECOND FROM end_time) = 0
    ),
    CONSTRAINT availability_windows_no_overlap EXCLUDE USING gist (
        mentor_id WITH =,
        day_of_week WITH =,
        int4range(
            extract(EPOCH FROM start_time)::integer, extract(EPOCH FROM end_time)::integer
        ) WITH &&
    )
);

CREATE INDEX availability_windows_by_mentor ON availability_windows (
    mentor_id, day_of_week, start_time
);

CREATE TABLE requests (
    id uuid NOT NULL DEFAULT uuidv7(),
    mentor_id uuid NOT NULL,
    mentee_id text NOT NULL,
    topic text NOT NULL,
    message text,
    start_time timestamptz NOT NULL,
    end_time timestamptz NOT NULL,
    location text,
    status text NOT NULL DEFAULT 'pending',
    rejection_reason text,
    booking_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    -- what the session costs, fixed when the mentee asks
    session_rate numeric(12, 2) NOT NULL,
    session_currency text NOT NULL,
    -- rejected by the passing of time
    expired boolean NOT NULL DEFAULT FALSE,
    CONSTRAINT requests_pkey PRIMARY KEY (id),
    CONSTRAINT requests_mentor_fkey FOREIGN KEY (mentor_id) REFERENCES mentors (id),
    CONSTRAINT requests_mentee_fkey FOREIGN KEY (mentee_id) REFERENCES users (id),
    CONSTRAINT requests_one_booking UNIQUE (booking_id),
    CONSTRAINT requests_status CHECK (
        status IN ('pending', 'accepted', 'rejected', 'cancelled')
    ),
    CONSTRAINT requests_length CHECK (
        end_time - start_time BETWEEN interval '15 minutes' AND interval '180 minutes'
    ),
    CONSTRAINT requests_session_rate CHECK (session_rate >= 0),
    CONSTRAINT requests_session_currency CHECK (session_currency ~ '^[A-Z]{3}$'),
    CONSTRAINT requests_accepted_has_booking CHECK (
        (status = 'accepted') = (booking_id IS NOT NULL)
    ),
    CONSTRAINT requests_reason_only_when_rejected CHECK (
        status = 'rejected' OR rejection_reason IS NULL
    ),
    CONSTRAINT requests_expired_is_rejected CHECK (NOT expired OR status = 'rejected')
);

-- GET /requests/pending-count counts these, too.
CREATE UNIQUE INDEX requests_one_pending ON requests (mentor_id, mentee_id)
WHERE status = 'pending';
CREATE INDEX requests_by_mentor ON requests (mentor_id, created_at DESC, id DESC);
CREATE INDEX requests_by_mentee ON requests (mentee_id, created_at DESC, id DESC);
-- The sweep looks through these.
CREATE INDEX requests_pending_by_start ON requests (start_time)
WHERE status = 'pending';

-- Sessions. A booking without a request was made by hand.
CREATE TABLE bookings (
    id uuid NOT NULL DEFAULT uuidv7(),
    request_id uuid,
    mentor_id uuid NOT NULL,
    mentee_id text NOT NULL,
    topic text NOT NULL,
    message text,
    start_time timestamptz NOT NULL,
    end_time timestamptz NOT NULL,
    -- minutes kept free after this session: the mentor's setting, put in by a trigger
    buffer_time integer NOT NULL,
    location text,
    status text NOT NULL DEFAULT 'pending',
    live boolean NOT NULL GENERATED ALWAYS AS (booking_is_live(status)) STORED,
    cancellation_reason text,
    cancelled_by text,
    session_rate numeric(12, 2) NOT NULL DEFAULT 0,
    session_currency text NOT NULL DEFAULT 'NGN',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    -- tells a calendar which of two copies is the newer one
    calendar_sequence integer NOT NULL DEFAULT 0,
    CONSTRAINT bookings_pkey PRIMARY KEY (id),
    CONSTRAINT bookings_one_per_request UNIQUE (request_id),
    CONSTRAINT bookings_request_fkey FOREIGN KEY (request_id) REFERENCES requests (id),
    CONSTRAINT bookings_mentor_fkey FOREIGN KEY (mentor_id) REFERENCES mentors (id),
    CONSTRAINT bookings_mentee_fkey FOREIGN KEY (mentee_id) REFERENCES users (id),
    CONSTRAINT bookings_cancelled_by_fkey FOREIGN KEY (cancelled_by) REFERENCES users (id),
    CONSTRAINT bookings_status CHECK (
        status IN (
            'pending', 'confirmed', 'rescheduled', 'in_progress',
            'pending_completion', 'completed', 'disputed', 'cancelled'
        )
    ),
    CONSTRAINT bookings_length CHECK (
        end_time - start_time BETWEEN interval '15 minutes' AND interval '180 minutes'
    ),
    CONSTRAINT bookings_buffer_time CHECK (buffer_time BETWEEN 0 AND 45),
    CONSTRAINT bookings_session_rate CHECK (session_rate >= 0),
    CONSTRAINT bookings_session_currency CHECK (session_currency ~ '^[A-Z]{3}$'),
    CONSTRAINT bookings_reason_only_when_cancelled CHECK (
        status = 'cancelled' OR (cancellation_reason IS NULL AND cancelled_by IS NULL)
    ),
    -- The promise: no two live sessions of a mentor overlap or come closer than the buffer.
    CONSTRAINT bookings_no_overlap EXCLUDE USING gist (
        mentor_id WITH =,
        occupied(start_time, end_time, buffer_time) WITH &&
    ) WHERE (live)
);

ALTER TABLE requests ADD CONSTRAINT requests_booking_fkey
FOREIGN KEY (booking_id) REFERENCES bookings (id);

CREATE INDEX bookings_by_mentor ON bookings (mentor_id, start_time, id);
CREATE INDEX bookings_by_mentee ON bookings (mentee_id, start_time, id);
-- The sweep looks through these.
CREATE INDEX bookings_live_by_start ON bookings (start_time) WHERE live;

CREATE TABLE reviews (
    id uuid NOT NULL DEFAULT uuidv7(),
    booking_id uuid NOT NULL,
    mentor_id uuid NOT NULL,
    mentee_id text NOT NULL,
    rating smallint NOT NULL,
    comment text,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT reviews_pkey PRIMARY KEY (id),
    CONSTRAINT reviews_one_per_booking UNIQUE (booking_id),
    CONSTRAINT reviews_booking_fkey FOREIGN KEY (booking_id) REFERENCES bookings (id),
    CONSTRAINT reviews_mentor_fkey FOREIGN KEY (mentor_id) REFERENCES mentors (id),
    CONSTRAINT reviews_mentee_fkey FOREIGN KEY (mentee_id) REFERENCES users (id),
    CONSTRAINT reviews_rating CHECK (rating BETWEEN 1 AND 5)
);

CREATE INDEX reviews_by_mentor ON reviews (mentor_id, created_at DESC, id DESC);
CREATE INDEX reviews_by_mentee ON reviews (mentee_id, created_at DESC, id DESC);

-- Answers to POSTs that carried an Idempotency-Key, kept for 24 hours. A row is written in the
-- transaction of its effect.
CREATE TABLE idempotency_keys (
    user_id text NOT NULL,
    route text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    status integer NOT NULL,
    location text,
    answer text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (user_id, route, key),
    CONSTRAINT idempotency_keys_user_fkey FOREIGN KEY (user_id) REFERENCES users (id)
);

COMMENT ON COLUMN idempotency_keys.route IS 'method and path template';
COMMENT ON COLUMN idempotency_keys.fingerprint IS 'SHA-256 of the path''s ids and the body';

CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- The history of requests and sessions, written by triggers (sql/functions/10_history.sql).
CREATE TABLE state_changes (
    id uuid NOT NULL DEFAULT uuidv7(),
    request_id uuid,
    booking_id uuid,
    -- null for the first state
    old_status text,
    new_status text NOT NULL,
    -- a session's times after the change
    start_time timestamptz,
    end_time timestamptz,
    -- null unless a user made the change through the API
    user_id text,
    source text NOT NULL,
    -- the database's own record of the login that made the change
    database_user text NOT NULL DEFAULT session_user,
    reason text,
    changed_at timestamptz NOT NULL,
    CONSTRAINT state_changes_pkey PRIMARY KEY (id),
    CONSTRAINT state_changes_request_fkey
    FOREIGN KEY (request_id) REFERENCES requests (id) ON DELETE CASCADE,
    CONSTRAINT state_changes_booking_fkey
    FOREIGN KEY (booking_id) REFERENCES bookings (id) ON DELETE CASCADE,
    CONSTRAINT state_changes_of_one CHECK (num_nonnulls(request_id, booking_id) = 1),
    CONSTRAINT state_changes_source CHECK (source IN ('user', 'sweep', 'database')),
    CONSTRAINT state_changes_user CHECK ((source = 'user') = (user_id IS NOT NULL))
);

CREATE INDEX state_changes_by_request ON state_changes (request_id, changed_at, id)
WHERE request_id IS NOT NULL;
CREATE INDEX state_changes_by_booking ON state_changes (booking_id, changed_at, id)
WHERE booking_id IS NOT NULL;

-- What `migrate` applied last from sql/functions/: one row.
CREATE TABLE applied_functions (
    -- SHA-256 of the files' text, and of the triggers in it
    hash text NOT NULL,
    triggers_hash text NOT NULL,
    -- each as DROP names it, such as 'view public.mentor_list'
    objects text[] NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT applied_functions_pkey PRIMARY KEY (hash)
);
