CREATE EXTENSION IF NOT EXISTS btree_gist WITH SCHEMA public;

COMMENT ON EXTENSION btree_gist IS 'support for indexing common datatypes in GiST';

CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;

COMMENT ON EXTENSION pg_trgm IS 'text similarity measurement and index searching based on trigrams';

CREATE EXTENSION IF NOT EXISTS unaccent WITH SCHEMA public;

COMMENT ON EXTENSION unaccent IS 'text search dictionary that removes accents';

CREATE FUNCTION public.act_for(user_id text) RETURNS text
    LANGUAGE sql
    AS $$
    SELECT user_id
    FROM set_config('mentorapi.actor', 'user:' || user_id, true)
$$;

CREATE FUNCTION public.fold(words text[]) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT public.fold(array_to_string(words, E'\n')) $$;

CREATE FUNCTION public.fold(words text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT lower(public.unaccent('public.unaccent'::regdictionary, words)) $$;

CREATE FUNCTION public.words_in(words text) RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT coalesce(array_agg(DISTINCT left(w.word, 200)), '{}')
    FROM regexp_split_to_table(public.fold(words), '\s+') AS w (word)
    WHERE w.word <> ''
$$;

CREATE TABLE public.mentors (
    id uuid DEFAULT uuidv7() NOT NULL,
    user_id text NOT NULL,
    full_name text,
    headline text,
    bio text,
    expertise text[] DEFAULT '{}'::text[] NOT NULL,
    location text,
    profile_image_url text,
    profile_image_file text,
    own_name boolean DEFAULT false NOT NULL,
    own_image boolean DEFAULT false NOT NULL,
    links jsonb DEFAULT '{}'::jsonb NOT NULL,
    session_duration integer DEFAULT 60 NOT NULL,
    buffer_time integer DEFAULT 0 NOT NULL,
    timezone text DEFAULT 'UTC'::text NOT NULL,
    default_meeting_link text,
    session_rate numeric(12,2) DEFAULT 0 NOT NULL,
    session_currency text DEFAULT 'NGN'::text NOT NULL,
    visibility text DEFAULT 'public'::text NOT NULL,
    review_count integer DEFAULT 0 NOT NULL,
    rating_sum integer DEFAULT 0 NOT NULL,
    rating numeric(2,1) GENERATED ALWAYS AS (round(((rating_sum)::numeric / (NULLIF(review_count, 0))::numeric), 1)) STORED,
    total_sessions integer DEFAULT 0 NOT NULL,
    search_name text GENERATED ALWAYS AS (public.fold(COALESCE(full_name, ''::text))) STORED,
    search_expertise text GENERATED ALWAYS AS (public.fold(expertise)) STORED,
    search_headline text GENERATED ALWAYS AS (public.fold(COALESCE(headline, ''::text))) STORED,
    search_bio text GENERATED ALWAYS AS (public.fold(COALESCE(bio, ''::text))) STORED,
    search_words text[] GENERATED ALWAYS AS (public.words_in(public.fold((ARRAY[full_name, headline, bio] || expertise)))) STORED,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT mentors_buffer_time CHECK ((buffer_time = ANY (ARRAY[0, 15, 30, 45]))),
    CONSTRAINT mentors_counts CHECK (((review_count >= 0) AND (total_sessions >= 0) AND ((rating_sum >= review_count) AND (rating_sum <= (5 * review_count))))),
    CONSTRAINT mentors_links_object CHECK ((jsonb_typeof(links) = 'object'::text)),
    CONSTRAINT mentors_session_currency CHECK ((session_currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT mentors_session_duration CHECK ((session_duration = ANY (ARRAY[30, 60, 90, 120]))),
    CONSTRAINT mentors_session_rate CHECK ((session_rate >= (0)::numeric)),
    CONSTRAINT mentors_visibility CHECK ((visibility = ANY (ARRAY['public'::text, 'private'::text])))
);

CREATE FUNCTION public.availability_shape(m public.mentors) RETURNS TABLE(body json)
    LANGUAGE sql STABLE ROWS 1 PARALLEL SAFE
    AS $$
    SELECT json_build_object(
        'sessionDuration', m.session_duration,
        'bufferTime', m.buffer_time,
        'timezone', m.timezone,
        'defaultMeetingLink', m.default_meeting_link,
        'slots', coalesce((
            SELECT
                json_agg(
                    json_build_object(
                        'id', w.id,
                        'dayOfWeek', w.day_of_week,
                        'startTime', to_char(w.start_time, 'HH24:MI'),
                        'endTime', to_char(w.end_time, 'HH24:MI')
                    )
                    ORDER BY w.day_of_week, w.start_time
                )
            FROM availability_windows AS w
            WHERE w.mentor_id = m.id
        ), '[]')
    )
$$;

CREATE FUNCTION public.booking_is_live(status text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT status IN ('pending', 'confirmed', 'rescheduled', 'in_progress') $$;

CREATE FUNCTION public.bookings_count_completed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.status = 'completed' THEN
        UPDATE mentors SET total_sessions = total_sessions - 1 WHERE id = OLD.mentor_id;
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.status = 'completed' THEN
        UPDATE mentors SET total_sessions = total_sessions + 1 WHERE id = NEW.mentor_id;
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.bookings_resequence() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.calendar_sequence := OLD.calendar_sequence + 1;
    RETURN NEW;
END
$$;

CREATE FUNCTION public.bookings_take_place() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    gap interval;
BEGIN
    SELECT
        mentors.buffer_time,
        make_interval(mins => mentors.buffer_time)
    INTO NEW.buffer_time, gap
    FROM mentors
    WHERE mentors.id = NEW.mentor_id
    FOR NO KEY UPDATE;

    IF booking_is_live(NEW.status) AND EXISTS (
        SELECT
        FROM bookings AS b
        WHERE
            b.mentor_id = NEW.mentor_id
            AND b.live
            AND b.id <> NEW.id
            AND occupied(b.start_time, b.end_time, b.buffer_time)
            && tstzrange(NEW.start_time - gap, NEW.end_time + gap)
            AND b.start_time < NEW.end_time + gap
            AND b.end_time > NEW.start_time - gap
    ) THEN
        RAISE EXCLUSION_VIOLATION USING
            MESSAGE = 'too close to another live session of this mentor',
            TABLE = 'bookings',
            CONSTRAINT = 'bookings_no_overlap';
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION public.calendar_status(status text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT CASE status
        WHEN 'pending' THEN 'TENTATIVE'
        WHEN 'cancelled' THEN 'CANCELLED'
        ELSE 'CONFIRMED'
    END
$$;

CREATE TABLE public.state_changes (
    id uuid DEFAULT uuidv7() NOT NULL,
    request_id uuid,
    booking_id uuid,
    old_status text,
    new_status text NOT NULL,
    start_time timestamp with time zone,
    end_time timestamp with time zone,
    user_id text,
    source text NOT NULL,
    database_user text DEFAULT SESSION_USER NOT NULL,
    reason text,
    changed_at timestamp with time zone NOT NULL,
    CONSTRAINT state_changes_of_one CHECK ((num_nonnulls(request_id, booking_id) = 1)),
    CONSTRAINT state_changes_source CHECK ((source = ANY (ARRAY['user'::text, 'sweep'::text, 'database'::text]))),
    CONSTRAINT state_changes_user CHECK (((source = 'user'::text) = (user_id IS NOT NULL)))
);

CREATE FUNCTION public.change_shape(c public.state_changes, mentor_user_id text) RETURNS TABLE(body json)
    LANGUAGE sql STABLE ROWS 1 PARALLEL SAFE
    AS $$
    SELECT json_build_object(
        'from', c.old_status,
        'to', c.new_status,
        'by', CASE
            WHEN c.source = 'sweep' THEN 'system'
            WHEN c.source = 'database' THEN 'admin'
            WHEN c.user_id = mentor_user_id THEN 'mentor'
            ELSE 'mentee'
        END,
        'reason', c.reason,
        'startTime', iso(c.start_time),
        'endTime', iso(c.end_time),
        'at', iso(c.changed_at)
    )
$$;

CREATE FUNCTION public.containing(words text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT '%' || regexp_replace(fold(words), '([\\%_])', '\\\1', 'g') || '%' $$;

CREATE FUNCTION public.containing_swapped(word text) RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT array_agg(containing(overlay(word PLACING reverse(substr(word, i, 2)) FROM i FOR 2)))
    FROM generate_series(1, char_length(word) - 1) AS i
$$;

CREATE FUNCTION public.iso(instant timestamp with time zone) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT rtrim(rtrim(
        to_char(instant AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), '0'
    ), '.') || 'Z'
$$;

CREATE FUNCTION public.mentor_card(m public.mentors) RETURNS TABLE(body json)
    LANGUAGE sql STABLE ROWS 1 PARALLEL SAFE
    AS $$
    SELECT row_to_json(shape)
    FROM (
        SELECT
            m.id,
            m.user_id AS "userId",
            m.full_name AS "fullName",
            m.profile_image_url AS "profileImageUrl",
            m.headline,
            m.bio,
            m.expertise,
            m.session_duration AS "sessionDuration",
            m.rating,
            m.review_count AS "totalReviews",
            m.total_sessions AS "totalSessions"
    ) AS shape
$$;

CREATE FUNCTION public.mentor_free_time(for_mentor uuid, from_date date, to_date date) RETURNS tstzmultirange
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT coalesce(open_time.hours, '{}') - coalesce(busy.hours, '{}')
    FROM mentors AS m
    CROSS JOIN LATERAL (
        SELECT range_agg(
            tstzrange(
                (d.day::date + w.start_time) AT TIME ZONE 'UTC',
                (d.day::date + w.end_time) AT TIME ZONE 'UTC'
            )
        ) AS hours
        FROM generate_series(
            from_date::timestamp, to_date::timestamp, interval '1 day'
        ) AS d (day)
        INNER JOIN availability_windows AS w
            ON w.day_of_week = extract(ISODOW FROM d.day)::integer - 1
        WHERE w.mentor_id = for_mentor
    ) AS open_time
    CROSS JOIN LATERAL (
        SELECT range_agg(
            tstzrange(
                b.start_time - make_interval(mins => m.buffer_time),
                b.end_time + make_interval(mins => m.buffer_time)
            )
        ) AS hours
        FROM bookings AS b
        WHERE
            b.mentor_id = for_mentor
            AND b.live
            AND occupied(b.start_time, b.end_time, b.buffer_time) && tstzrange(
                from_date::timestamp AT TIME ZONE 'UTC' - interval '1 hour',
                (to_date + 1)::timestamp AT TIME ZONE 'UTC' + interval '1 hour'
            )
    ) AS busy
    WHERE m.id = for_mentor
$$;

CREATE FUNCTION public.mentor_page(m public.mentors) RETURNS TABLE(body json)
    LANGUAGE sql STABLE ROWS 1 PARALLEL SAFE
    AS $$
    SELECT row_to_json(shape)
    FROM (
        SELECT
            m.id,
            m.user_id AS "userId",
            m.full_name AS "fullName",
            m.profile_image_url AS "profileImageUrl",
            m.headline,
            m.bio,
            m.expertise,
            m.location,
            m.session_duration AS "sessionDuration",
            m.buffer_time AS "bufferTime",
            m.timezone,
            m.default_meeting_link AS "defaultMeetingLink",
            trim_scale(m.session_rate) AS "sessionRate",
            m.session_currency AS "sessionCurrency",
            m.rating,
            m.review_count AS "totalReviews",
            m.total_sessions AS "totalSessions"
    ) AS shape
$$;

CREATE FUNCTION public.mentor_profile(m public.mentors) RETURNS TABLE(body json)
    LANGUAGE sql STABLE ROWS 1 PARALLEL SAFE
    AS $$
    SELECT row_to_json(shape)
    FROM (
        SELECT
            m.id,
            m.user_id AS "userId",
            m.full_name AS "fullName",
            m.headline,
            m.bio,
            m.expertise,
            m.location,
            m.profile_image_url AS "profileImageUrl",
            m.links,
            m.session_duration AS "sessionDuration",
            m.buffer_time AS "bufferTime",
            m.timezone,
            m.default_meeting_link AS "defaultMeetingLink",
            trim_scale(m.session_rate) AS "sessionRate",
            m.session_currency AS "sessionCurrency",
            m.visibility
    ) AS shape
$$;

CREATE FUNCTION public.mentors_count() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        UPDATE mentor_counts SET mentors = mentors - 1 WHERE visibility = OLD.visibility;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        UPDATE mentor_counts SET mentors = mentors + 1 WHERE visibility = NEW.visibility;
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.mentors_learn_words() RETURNS trigger
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

CREATE FUNCTION public.mentors_shrink_buffer() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE bookings
    SET buffer_time = NEW.buffer_time
    WHERE mentor_id = NEW.id AND live AND buffer_time > NEW.buffer_time;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.minutes_between(start_time timestamp with time zone, end_time timestamp with time zone) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT (extract(EPOCH FROM end_time - start_time) / 60)::integer $$;

CREATE FUNCTION public.occupied(start_time timestamp with time zone, end_time timestamp with time zone, buffer_time integer) RETURNS tstzrange
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT tstzrange(start_time, end_time + make_interval(mins => buffer_time)) $$;

CREATE FUNCTION public.party(m public.mentors) RETURNS json
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT json_build_object(
        'id', m.id, 'userId', m.user_id, 'name', m.full_name, 'avatar', m.profile_image_url
    )
$$;

CREATE TABLE public.users (
    id text NOT NULL,
    name text,
    email text,
    picture text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT users_id_length CHECK (((char_length(id) >= 1) AND (char_length(id) <= 255)))
);

CREATE FUNCTION public.party(u public.users) RETURNS json
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT json_build_object('id', u.id, 'name', u.name, 'avatar', u.picture) $$;

CREATE FUNCTION public.record_state_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    actor text := coalesce(current_setting('mentorapi.actor', true), '');
    change state_changes;
    before timestamptz;
BEGIN
    change.id := uuidv7();
    change.new_status := NEW.status;
    change.user_id := CASE WHEN actor LIKE 'user:%' THEN substr(actor, 6) END;
    change.source := CASE
        WHEN actor LIKE 'user:%' THEN 'user'
        WHEN actor = 'sweep' THEN 'sweep'
        ELSE 'database'
    END;
    change.database_user := session_user;
    IF TG_OP = 'UPDATE' THEN
        change.old_status := OLD.status;
    END IF;
    IF TG_TABLE_NAME = 'requests' THEN
        change.request_id := NEW.id;
        change.reason := NEW.rejection_reason;
        SELECT max(c.changed_at) INTO before
        FROM state_changes AS c
        WHERE c.request_id = NEW.id;
    ELSE
        change.booking_id := NEW.id;
        change.start_time := NEW.start_time;
        change.end_time := NEW.end_time;
        change.reason := NEW.cancellation_reason;
        SELECT max(c.changed_at) INTO before
        FROM state_changes AS c
        WHERE c.booking_id = NEW.id;
    END IF;
    -- Who had to wait for another change may have begun before it: now() would put them in the
    -- wrong order.
    change.changed_at := greatest(now(), before + interval '1 microsecond');
    INSERT INTO state_changes
    SELECT (change).*;
    RETURN NULL;
END
$$;

CREATE TABLE public.requests (
    id uuid DEFAULT uuidv7() NOT NULL,
    mentor_id uuid NOT NULL,
    mentee_id text NOT NULL,
    topic text NOT NULL,
    message text,
    start_time timestamp with time zone NOT NULL,
    end_time timestamp with time zone NOT NULL,
    location text,
    status text DEFAULT 'pending'::text NOT NULL,
    rejection_reason text,
    booking_id uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT requests_accepted_has_booking CHECK (((status = 'accepted'::text) = (booking_id IS NOT NULL))),
    CONSTRAINT requests_length CHECK ((((end_time - start_time) >= '00:15:00'::interval) AND ((end_time - start_time) <= '03:00:00'::interval))),
    CONSTRAINT requests_reason_only_when_rejected CHECK (((status = 'rejected'::text) OR (rejection_reason IS NULL))),
    CONSTRAINT requests_status CHECK ((status = ANY (ARRAY['pending'::text, 'accepted'::text, 'rejected'::text, 'cancelled'::text])))
);

CREATE FUNCTION public.request_shape(r public.requests) RETURNS TABLE(body json)
    LANGUAGE sql STABLE ROWS 1 PARALLEL SAFE
    AS $$
    SELECT row_to_json(shape)
    FROM (
        SELECT
            r.id,
            r.mentor_id AS "mentorId",
            r.mentee_id AS "menteeId",
            r.topic,
            r.message,
            to_char(r.start_time AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS "scheduledDate",
            to_char(r.start_time AT TIME ZONE 'UTC', 'HH24:MI') AS "scheduledTime",
            minutes_between(r.start_time, r.end_time) AS duration,
            r.location,
            iso(r.start_time) AS "startTime",
            iso(r.end_time) AS "endTime",
            r.status,
            r.rejection_reason AS "rejectionReason",
            r.booking_id AS "bookingId",
            party(m) AS mentor,
            party(u) AS mentee,
            iso(r.created_at) AS "createdAt",
            iso(r.updated_at) AS "updatedAt"
        FROM mentors AS m
        CROSS JOIN users AS u
        WHERE m.id = r.mentor_id AND u.id = r.mentee_id
    ) AS shape
$$;

CREATE TABLE public.reviews (
    id uuid DEFAULT uuidv7() NOT NULL,
    booking_id uuid NOT NULL,
    mentor_id uuid NOT NULL,
    mentee_id text NOT NULL,
    rating smallint NOT NULL,
    comment text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT reviews_rating CHECK (((rating >= 1) AND (rating <= 5)))
);

CREATE FUNCTION public.review_shape(v public.reviews) RETURNS TABLE(body json, own json)
    LANGUAGE sql STABLE ROWS 1 PARALLEL SAFE
    AS $$
    SELECT
        json_build_object(
            'id', v.id,
            'rating', v.rating,
            'comment', v.comment,
            'mentee', party(u),
            'createdAt', iso(v.created_at)
        ),
        json_build_object(
            'id', v.id,
            'sessionId', v.booking_id,
            'rating', v.rating,
            'comment', v.comment,
            'mentor', party(m),
            'mentee', party(u),
            'createdAt', iso(v.created_at)
        )
    FROM mentors AS m
    CROSS JOIN users AS u
    WHERE m.id = v.mentor_id AND u.id = v.mentee_id
$$;

CREATE FUNCTION public.reviews_count() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        UPDATE mentors
        SET review_count = review_count - 1, rating_sum = rating_sum - OLD.rating
        WHERE id = OLD.mentor_id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        UPDATE mentors
        SET review_count = review_count + 1, rating_sum = rating_sum + NEW.rating
        WHERE id = NEW.mentor_id;
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.search_meaning(asked text) RETURNS TABLE(word text, likeness real, exact boolean)
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

CREATE TABLE public.bookings (
    id uuid DEFAULT uuidv7() NOT NULL,
    request_id uuid,
    mentor_id uuid NOT NULL,
    mentee_id text NOT NULL,
    topic text NOT NULL,
    message text,
    start_time timestamp with time zone NOT NULL,
    end_time timestamp with time zone NOT NULL,
    buffer_time integer NOT NULL,
    location text,
    status text DEFAULT 'pending'::text NOT NULL,
    live boolean GENERATED ALWAYS AS (public.booking_is_live(status)) STORED NOT NULL,
    cancellation_reason text,
    cancelled_by text,
    session_rate numeric(12,2) DEFAULT 0 NOT NULL,
    session_currency text DEFAULT 'NGN'::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    calendar_sequence integer DEFAULT 0 NOT NULL,
    CONSTRAINT bookings_buffer_time CHECK (((buffer_time >= 0) AND (buffer_time <= 45))),
    CONSTRAINT bookings_length CHECK ((((end_time - start_time) >= '00:15:00'::interval) AND ((end_time - start_time) <= '03:00:00'::interval))),
    CONSTRAINT bookings_reason_only_when_cancelled CHECK (((status = 'cancelled'::text) OR ((cancellation_reason IS NULL) AND (cancelled_by IS NULL)))),
    CONSTRAINT bookings_session_currency CHECK ((session_currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT bookings_session_rate CHECK ((session_rate >= (0)::numeric)),
    CONSTRAINT bookings_status CHECK ((status = ANY (ARRAY['pending'::text, 'confirmed'::text, 'rescheduled'::text, 'in_progress'::text, 'pending_completion'::text, 'completed'::text, 'disputed'::text, 'cancelled'::text])))
);

CREATE FUNCTION public.session_shape(b public.bookings, v public.reviews) RETURNS TABLE(body json)
    LANGUAGE sql STABLE ROWS 1 PARALLEL SAFE
    AS $$
    SELECT row_to_json(shape)
    FROM (
        SELECT
            b.id,
            b.request_id AS "requestId",
            b.mentor_id AS "mentorId",
            b.mentee_id AS "menteeId",
            b.topic,
            b.message,
            iso(b.start_time) AS "startTime",
            iso(b.end_time) AS "endTime",
            minutes_between(b.start_time, b.end_time) AS duration,
            b.location,
            b.status,
            b.cancellation_reason AS "cancellationReason",
            b.cancelled_by AS "cancelledBy",
            trim_scale(b.session_rate) AS "sessionRate",
            b.session_currency AS "sessionCurrency",
            party(m) AS mentor,
            party(u) AS mentee,
            CASE
                WHEN v.id IS NOT NULL THEN json_build_object(
                    'id', v.id,
                    'rating', v.rating,
                    'comment', v.comment,
                    'createdAt', iso(v.created_at)
                )
            END AS review,
            iso(b.created_at) AS "createdAt",
            iso(b.updated_at) AS "updatedAt"
        FROM mentors AS m
        CROSS JOIN users AS u
        WHERE m.id = b.mentor_id AND u.id = b.mentee_id
    ) AS shape
$$;

CREATE FUNCTION public.tell_lists() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM pg_notify('mentorapi', 'lists');
    RETURN NULL;
END
$$;

CREATE FUNCTION public.tell_mentor() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM pg_notify('mentorapi', coalesce(NEW.id, OLD.id)::text);
    RETURN NULL;
END
$$;

CREATE FUNCTION public.tell_mentor_of_row() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM pg_notify('mentorapi', coalesce(NEW.mentor_id, OLD.mentor_id)::text);
    RETURN NULL;
END
$$;

CREATE FUNCTION public.tell_mentors_reviewed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM pg_notify('mentorapi', reviewed.mentor_id::text)
    FROM (
        SELECT DISTINCT v.mentor_id
        FROM reviews AS v
        WHERE v.mentee_id = NEW.id
    ) AS reviewed;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.touch_updated_at() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    -- now() is when the transaction began, which may be before the change that it waited for.
    NEW.updated_at := greatest(now(), OLD.updated_at);
    RETURN NEW;
END
$$;

CREATE FUNCTION public.users_rename_profile() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE mentors
    SET
        full_name = CASE WHEN own_name THEN full_name ELSE NEW.name END,
        profile_image_url = CASE WHEN own_image THEN profile_image_url ELSE NEW.picture END
    WHERE user_id = NEW.id AND NOT (own_name AND own_image);
    RETURN NULL;
END
$$;

CREATE FUNCTION public.uuidv7() RETURNS uuid
    LANGUAGE sql PARALLEL SAFE
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

CREATE TABLE public._yoyo_log (
    id character varying(36) NOT NULL,
    migration_hash character varying(64),
    migration_id character varying(255),
    operation character varying(10),
    username character varying(255),
    hostname character varying(255),
    comment character varying(255),
    created_at_utc timestamp without time zone
);

CREATE TABLE public._yoyo_migration (
    migration_hash character varying(64) NOT NULL,
    migration_id character varying(255),
    applied_at_utc timestamp without time zone
);

CREATE TABLE public._yoyo_version (
    version integer NOT NULL,
    installed_at_utc timestamp without time zone
);

CREATE TABLE public.availability_windows (
    id uuid DEFAULT uuidv7() NOT NULL,
    mentor_id uuid NOT NULL,
    day_of_week smallint NOT NULL,
    start_time time without time zone NOT NULL,
    end_time time without time zone NOT NULL,
    CONSTRAINT availability_windows_day_of_week CHECK (((day_of_week >= 0) AND (day_of_week <= 6))),
    CONSTRAINT availability_windows_order CHECK ((start_time < end_time)),
    CONSTRAINT availability_windows_whole_minutes CHECK (((EXTRACT(second FROM start_time) = (0)::numeric) AND (EXTRACT(second FROM end_time) = (0)::numeric)))
);

CREATE TABLE public.idempotency_keys (
    user_id text NOT NULL,
    route text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    status integer NOT NULL,
    location text,
    answer text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.mentor_counts (
    visibility text NOT NULL,
    mentors bigint NOT NULL,
    CONSTRAINT mentor_counts_not_negative CHECK ((mentors >= 0))
);

CREATE VIEW public.mentor_list AS
 SELECT m.id,
    m.visibility,
    m.rating,
    m.review_count,
    m.total_sessions,
    s.body
   FROM (public.mentors m
     CROSS JOIN LATERAL public.mentor_card(m.*) s(body));

CREATE VIEW public.request_list AS
 SELECT r.id,
    r.mentor_id,
    r.mentee_id,
    r.status,
    r.created_at,
    s.body
   FROM (public.requests r
     CROSS JOIN LATERAL public.request_shape(r.*) s(body));

CREATE TABLE public.search_vocabulary (
    word text NOT NULL COLLATE pg_catalog."C"
);

CREATE VIEW public.session_list AS
 SELECT b.id,
    b.mentor_id,
    b.mentee_id,
    b.status,
    b.start_time,
    s.body
   FROM ((public.bookings b
     LEFT JOIN public.reviews v ON ((v.booking_id = b.id)))
     CROSS JOIN LATERAL public.session_shape(b.*, v.*) s(body));

CREATE TABLE public.yoyo_lock (
    locked integer DEFAULT 1 NOT NULL,
    ctime timestamp without time zone,
    pid integer NOT NULL
);

ALTER TABLE ONLY public._yoyo_log
    ADD CONSTRAINT _yoyo_log_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public._yoyo_migration
    ADD CONSTRAINT _yoyo_migration_pkey PRIMARY KEY (migration_hash);

ALTER TABLE ONLY public._yoyo_version
    ADD CONSTRAINT _yoyo_version_pkey PRIMARY KEY (version);

ALTER TABLE ONLY public.availability_windows
    ADD CONSTRAINT availability_windows_no_overlap EXCLUDE USING gist (mentor_id WITH =, day_of_week WITH =, int4range((EXTRACT(epoch FROM start_time))::integer, (EXTRACT(epoch FROM end_time))::integer) WITH &&);

ALTER TABLE ONLY public.availability_windows
    ADD CONSTRAINT availability_windows_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.bookings
    ADD CONSTRAINT bookings_no_overlap EXCLUDE USING gist (mentor_id WITH =, public.occupied(start_time, end_time, buffer_time) WITH &&) WHERE (live);

ALTER TABLE ONLY public.bookings
    ADD CONSTRAINT bookings_one_per_request UNIQUE (request_id);

ALTER TABLE ONLY public.bookings
    ADD CONSTRAINT bookings_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (user_id, route, key);

ALTER TABLE ONLY public.mentor_counts
    ADD CONSTRAINT mentor_counts_pkey PRIMARY KEY (visibility);

ALTER TABLE ONLY public.mentors
    ADD CONSTRAINT mentors_one_per_user UNIQUE (user_id);

ALTER TABLE ONLY public.mentors
    ADD CONSTRAINT mentors_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.requests
    ADD CONSTRAINT requests_one_booking UNIQUE (booking_id);

ALTER TABLE ONLY public.requests
    ADD CONSTRAINT requests_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.reviews
    ADD CONSTRAINT reviews_one_per_booking UNIQUE (booking_id);

ALTER TABLE ONLY public.reviews
    ADD CONSTRAINT reviews_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.search_vocabulary
    ADD CONSTRAINT search_vocabulary_pkey PRIMARY KEY (word);

ALTER TABLE ONLY public.state_changes
    ADD CONSTRAINT state_changes_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.yoyo_lock
    ADD CONSTRAINT yoyo_lock_pkey PRIMARY KEY (locked);

CREATE INDEX availability_windows_by_mentor ON public.availability_windows USING btree (mentor_id, day_of_week, start_time);

CREATE INDEX bookings_by_mentee ON public.bookings USING btree (mentee_id, start_time, id);

CREATE INDEX bookings_by_mentor ON public.bookings USING btree (mentor_id, start_time, id);

CREATE INDEX bookings_live_by_start ON public.bookings USING btree (start_time) WHERE live;

CREATE INDEX idempotency_keys_by_age ON public.idempotency_keys USING btree (created_at);

CREATE INDEX mentors_best_first ON public.mentors USING btree (rating DESC NULLS LAST, review_count DESC, total_sessions DESC, id) WHERE (visibility = 'public'::text);

CREATE INDEX mentors_search ON public.mentors USING gin (search_words) WHERE (visibility = 'public'::text);

CREATE INDEX requests_by_mentee ON public.requests USING btree (mentee_id, created_at DESC, id DESC);

CREATE INDEX requests_by_mentor ON public.requests USING btree (mentor_id, created_at DESC, id DESC);

CREATE UNIQUE INDEX requests_one_pending ON public.requests USING btree (mentor_id, mentee_id) WHERE (status = 'pending'::text);

CREATE INDEX reviews_by_mentee ON public.reviews USING btree (mentee_id, created_at DESC, id DESC);

CREATE INDEX reviews_by_mentor ON public.reviews USING btree (mentor_id, created_at DESC, id DESC);

CREATE INDEX search_vocabulary_trigrams ON public.search_vocabulary USING gin (word public.gin_trgm_ops);

CREATE INDEX state_changes_by_booking ON public.state_changes USING btree (booking_id, changed_at, id) WHERE (booking_id IS NOT NULL);

CREATE INDEX state_changes_by_request ON public.state_changes USING btree (request_id, changed_at, id) WHERE (request_id IS NOT NULL);

CREATE TRIGGER availability_windows_tell AFTER INSERT OR DELETE OR UPDATE ON public.availability_windows FOR EACH ROW EXECUTE FUNCTION public.tell_mentor_of_row();

CREATE TRIGGER bookings_change_recorded AFTER UPDATE ON public.bookings FOR EACH ROW WHEN ((((old.status IS DISTINCT FROM new.status) OR (old.start_time IS DISTINCT FROM new.start_time)) OR (old.end_time IS DISTINCT FROM new.end_time))) EXECUTE FUNCTION public.record_state_change();

CREATE TRIGGER bookings_completed_changed AFTER UPDATE OF status, mentor_id ON public.bookings FOR EACH ROW WHEN ((((old.status = 'completed'::text) IS DISTINCT FROM (new.status = 'completed'::text)) OR (old.mentor_id IS DISTINCT FROM new.mentor_id))) EXECUTE FUNCTION public.bookings_count_completed();

CREATE TRIGGER bookings_completed_deleted AFTER DELETE ON public.bookings FOR EACH ROW WHEN ((old.status = 'completed'::text)) EXECUTE FUNCTION public.bookings_count_completed();

CREATE TRIGGER bookings_completed_new AFTER INSERT ON public.bookings FOR EACH ROW WHEN ((new.status = 'completed'::text)) EXECUTE FUNCTION public.bookings_count_completed();

CREATE TRIGGER bookings_moved BEFORE UPDATE ON public.bookings FOR EACH ROW WHEN (((((old.mentor_id IS DISTINCT FROM new.mentor_id) OR (old.start_time IS DISTINCT FROM new.start_time)) OR (old.end_time IS DISTINCT FROM new.end_time)) OR (public.booking_is_live(new.status) AND (NOT public.booking_is_live(old.status))))) EXECUTE FUNCTION public.bookings_take_place();

CREATE TRIGGER bookings_placed BEFORE INSERT ON public.bookings FOR EACH ROW EXECUTE FUNCTION public.bookings_take_place();

CREATE TRIGGER bookings_recorded AFTER INSERT ON public.bookings FOR EACH ROW EXECUTE FUNCTION public.record_state_change();

CREATE TRIGGER bookings_resequenced BEFORE UPDATE ON public.bookings FOR EACH ROW WHEN (((((old.start_time IS DISTINCT FROM new.start_time) OR (old.end_time IS DISTINCT FROM new.end_time)) OR (old.location IS DISTINCT FROM new.location)) OR (public.calendar_status(old.status) IS DISTINCT FROM public.calendar_status(new.status)))) EXECUTE FUNCTION public.bookings_resequence();

CREATE TRIGGER bookings_tell_changed AFTER UPDATE ON public.bookings FOR EACH ROW WHEN (((((old.live IS DISTINCT FROM new.live) OR (old.start_time IS DISTINCT FROM new.start_time)) OR (old.end_time IS DISTINCT FROM new.end_time)) OR (old.mentor_id IS DISTINCT FROM new.mentor_id))) EXECUTE FUNCTION public.tell_mentor_of_row();

CREATE TRIGGER bookings_tell_gone AFTER DELETE ON public.bookings FOR EACH ROW WHEN (old.live) EXECUTE FUNCTION public.tell_mentor_of_row();

CREATE TRIGGER bookings_tell_new AFTER INSERT ON public.bookings FOR EACH ROW WHEN (new.live) EXECUTE FUNCTION public.tell_mentor_of_row();

CREATE TRIGGER bookings_touch BEFORE UPDATE ON public.bookings FOR EACH ROW EXECUTE FUNCTION public.touch_updated_at();

CREATE TRIGGER mentors_buffer_shrunk AFTER UPDATE OF buffer_time ON public.mentors FOR EACH ROW WHEN ((new.buffer_time < old.buffer_time)) EXECUTE FUNCTION public.mentors_shrink_buffer();

CREATE TRIGGER mentors_counted AFTER INSERT OR DELETE ON public.mentors FOR EACH ROW EXECUTE FUNCTION public.mentors_count();

CREATE TRIGGER mentors_recounted AFTER UPDATE OF visibility ON public.mentors FOR EACH ROW WHEN ((old.visibility <> new.visibility)) EXECUTE FUNCTION public.mentors_count();

CREATE TRIGGER mentors_tell_card_changed AFTER UPDATE ON public.mentors FOR EACH ROW WHEN ((((((((((((old.user_id IS DISTINCT FROM new.user_id) OR (old.full_name IS DISTINCT FROM new.full_name)) OR (old.profile_image_url IS DISTINCT FROM new.profile_image_url)) OR (old.headline IS DISTINCT FROM new.headline)) OR (old.bio IS DISTINCT FROM new.bio)) OR (old.expertise IS DISTINCT FROM new.expertise)) OR (old.session_duration IS DISTINCT FROM new.session_duration)) OR (old.rating_sum IS DISTINCT FROM new.rating_sum)) OR (old.review_count IS DISTINCT FROM new.review_count)) OR (old.total_sessions IS DISTINCT FROM new.total_sessions)) OR (old.visibility IS DISTINCT FROM new.visibility))) EXECUTE FUNCTION public.tell_lists();

CREATE TRIGGER mentors_tell_changed AFTER UPDATE ON public.mentors FOR EACH ROW EXECUTE FUNCTION public.tell_mentor();

CREATE TRIGGER mentors_tell_come_or_gone AFTER INSERT OR DELETE ON public.mentors FOR EACH ROW EXECUTE FUNCTION public.tell_lists();

CREATE TRIGGER mentors_tell_gone AFTER DELETE ON public.mentors FOR EACH ROW EXECUTE FUNCTION public.tell_mentor();

CREATE TRIGGER mentors_words_changed AFTER UPDATE ON public.mentors FOR EACH ROW WHEN ((old.search_words IS DISTINCT FROM new.search_words)) EXECUTE FUNCTION public.mentors_learn_words();

CREATE TRIGGER mentors_words_new AFTER INSERT ON public.mentors FOR EACH ROW EXECUTE FUNCTION public.mentors_learn_words();

CREATE TRIGGER requests_change_recorded AFTER UPDATE ON public.requests FOR EACH ROW WHEN ((old.status <> new.status)) EXECUTE FUNCTION public.record_state_change();

CREATE TRIGGER requests_recorded AFTER INSERT ON public.requests FOR EACH ROW EXECUTE FUNCTION public.record_state_change();

CREATE TRIGGER requests_touch BEFORE UPDATE ON public.requests FOR EACH ROW EXECUTE FUNCTION public.touch_updated_at();

CREATE TRIGGER reviews_counted AFTER INSERT OR DELETE OR UPDATE ON public.reviews FOR EACH ROW EXECUTE FUNCTION public.reviews_count();

CREATE TRIGGER reviews_tell AFTER INSERT OR DELETE OR UPDATE ON public.reviews FOR EACH ROW EXECUTE FUNCTION public.tell_mentor_of_row();

CREATE TRIGGER users_renamed AFTER UPDATE OF name, picture ON public.users FOR EACH ROW WHEN (((old.name IS DISTINCT FROM new.name) OR (old.picture IS DISTINCT FROM new.picture))) EXECUTE FUNCTION public.users_rename_profile();

CREATE TRIGGER users_tell AFTER UPDATE OF name, picture ON public.users FOR EACH ROW WHEN (((old.name IS DISTINCT FROM new.name) OR (old.picture IS DISTINCT FROM new.picture))) EXECUTE FUNCTION public.tell_mentors_reviewed();

ALTER TABLE ONLY public.availability_windows
    ADD CONSTRAINT availability_windows_mentor_fkey FOREIGN KEY (mentor_id) REFERENCES public.mentors(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.bookings
    ADD CONSTRAINT bookings_cancelled_by_fkey FOREIGN KEY (cancelled_by) REFERENCES public.users(id);

ALTER TABLE ONLY public.bookings
    ADD CONSTRAINT bookings_mentee_fkey FOREIGN KEY (mentee_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.bookings
    ADD CONSTRAINT bookings_mentor_fkey FOREIGN KEY (mentor_id) REFERENCES public.mentors(id);

ALTER TABLE ONLY public.bookings
    ADD CONSTRAINT bookings_request_fkey FOREIGN KEY (request_id) REFERENCES public.requests(id);

ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_user_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.mentors
    ADD CONSTRAINT mentors_user_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.requests
    ADD CONSTRAINT requests_booking_fkey FOREIGN KEY (booking_id) REFERENCES public.bookings(id);

ALTER TABLE ONLY public.requests
    ADD CONSTRAINT requests_mentee_fkey FOREIGN KEY (mentee_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.requests
    ADD CONSTRAINT requests_mentor_fkey FOREIGN KEY (mentor_id) REFERENCES public.mentors(id);

ALTER TABLE ONLY public.reviews
    ADD CONSTRAINT reviews_booking_fkey FOREIGN KEY (booking_id) REFERENCES public.bookings(id);

ALTER TABLE ONLY public.reviews
    ADD CONSTRAINT reviews_mentee_fkey FOREIGN KEY (mentee_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.reviews
    ADD CONSTRAINT reviews_mentor_fkey FOREIGN KEY (mentor_id) REFERENCES public.mentors(id);

ALTER TABLE ONLY public.state_changes
    ADD CONSTRAINT state_changes_booking_fkey FOREIGN KEY (booking_id) REFERENCES public.bookings(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.state_changes
    ADD CONSTRAINT state_changes_request_fkey FOREIGN KEY (request_id) REFERENCES public.requests(id) ON DELETE CASCADE;
