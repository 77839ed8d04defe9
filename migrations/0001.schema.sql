-- The tables, their constraints and indexes.
--
-- Names are API: the server tells errors apart by constraint name, tests find indexes by name.
-- Instants are timestamptz, ranges half open '[)', durations whole minutes, money numeric.

CREATE EXTENSION IF NOT EXISTS btree_gist;
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS unaccent;

-- PostgreSQL 18 brings uuidv7(); 15 to 17 get one here (RFC 9562, section 5.7: 48 bits of
-- milliseconds, then version, variant and random bits). pg_catalog comes first on the search path,
-- so after an upgrade to 18 the server's own is used.
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

CREATE OR REPLACE FUNCTION touch_updated_at() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    -- now() is when the transaction began, which may be before the change that it waited for.
    NEW.updated_at := greatest(now(), OLD.updated_at);
    RETURN NEW;
END
$$;

-- People, as their tokens describe them. The id is the token's `sub`.
CREATE TABLE users (
    id text NOT NULL,
    name text,
    email text,
    picture text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT users_pkey PRIMARY KEY (id),
    CONSTRAINT users_id_length CHECK (char_length(id) BETWEEN 1 AND 255)
);

-- Folds case and accents for the search. unaccent() is STABLE only because its dictionary can be
-- altered; ours is the one that comes with the extension.
CREATE OR REPLACE FUNCTION fold(words text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT lower(public.unaccent('public.unaccent'::regdictionary, words)) $$;

-- array_to_string() is STABLE because of types whose output depends on settings; text's does not.
CREATE OR REPLACE FUNCTION fold(words text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT public.fold(array_to_string(words, E'\n')) $$;

-- The different words of a text, folded. Longer ones than an index takes are cut.
CREATE OR REPLACE FUNCTION words_in(words text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT coalesce(array_agg(DISTINCT left(w.word, 200)), '{}')
    FROM regexp_split_to_table(public.fold(words), '\s+') AS w (word)
    WHERE w.word <> ''
$$;

CREATE TABLE mentors (
    id uuid NOT NULL DEFAULT uuidv7(),
    user_id text NOT NULL,
    full_name text,
    headline text,
    bio text,
    expertise text[] NOT NULL DEFAULT '{}',
    location text,
    profile_image_url text,
    -- the stored file behind profile_image_url when it was uploaded here
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
    -- what the search looks at
    search_name text GENERATED ALWAYS AS (fold(coalesce(full_name, ''))) STORED,
    search_expertise text GENERATED ALWAYS AS (fold(expertise)) STORED,
    search_headline text GENERATED ALWAYS AS (fold(coalesce(headline, ''))) STORED,
    search_bio text GENERATED ALWAYS AS (fold(coalesce(bio, ''))) STORED,
    search_words text[] GENERATED ALWAYS AS (
        words_in(fold(ARRAY[full_name, headline, bio] || expertise))
    ) STORED,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT mentors_pkey PRIMARY KEY (id),
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

-- GET /mentors walks this from the top.
CREATE INDEX mentors_best_first ON mentors (
    rating DESC NULLS LAST, review_count DESC, total_sessions DESC, id
) WHERE visibility = 'public';

CREATE INDEX mentors_search ON mentors USING gin (search_words)
WHERE visibility = 'public';

-- All words that profiles have or had: what a search may mean is looked up here, among some ten
-- thousand words, rather than in every text.
CREATE TABLE search_vocabulary (
    word text COLLATE "C" NOT NULL,
    CONSTRAINT search_vocabulary_pkey PRIMARY KEY (word)
);

CREATE INDEX search_vocabulary_trigrams ON search_vocabulary USING gin (word gin_trgm_ops);

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
    CONSTRAINT requests_accepted_has_booking CHECK (
        (status = 'accepted') = (booking_id IS NOT NULL)
    ),
    CONSTRAINT requests_reason_only_when_rejected CHECK (
        status = 'rejected' OR rejection_reason IS NULL
    )
);

-- Also what GET /requests/pending-count counts.
CREATE UNIQUE INDEX requests_one_pending ON requests (mentor_id, mentee_id)
WHERE status = 'pending';
CREATE INDEX requests_by_mentor ON requests (mentor_id, created_at DESC, id DESC);
CREATE INDEX requests_by_mentee ON requests (mentee_id, created_at DESC, id DESC);

CREATE TRIGGER requests_touch BEFORE UPDATE ON requests
FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

-- What a session keeps others from: itself and the buffer after it. Widening the end alone keeps
-- the gap on both sides, since the session before carries its own. timestamptz + interval is
-- STABLE because of days and months; minutes do not depend on the time zone.
CREATE OR REPLACE FUNCTION occupied(
    start_time timestamptz, end_time timestamptz, buffer_time integer
) RETURNS tstzrange
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT tstzrange(start_time, end_time + make_interval(mins => buffer_time)) $$;

CREATE OR REPLACE FUNCTION booking_is_live(status text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT status IN ('pending', 'confirmed', 'rescheduled', 'in_progress') $$;

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
-- What the sweep looks through.
CREATE INDEX bookings_live_by_start ON bookings (start_time) WHERE live;

CREATE TRIGGER bookings_touch BEFORE UPDATE ON bookings
FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

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
