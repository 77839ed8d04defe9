SET check_function_bodies = false;

CREATE EXTENSION IF NOT EXISTS btree_gist WITH SCHEMA public;

CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;

CREATE EXTENSION IF NOT EXISTS unaccent WITH SCHEMA public;

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
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    number integer NOT NULL,
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

CREATE FUNCTION public.mentors_index() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    changed integer[];
    words text[];
    fields smallint[];
    numbers integer[];
BEGIN
    IF TG_OP = 'UPDATE' THEN
        SELECT array_agg(n.number) INTO changed
        FROM old_mentors AS o
        INNER JOIN new_mentors AS n ON n.number = o.number
        WHERE
            (
                o.search_name, o.search_expertise, o.search_headline, o.search_bio, o.visibility
            ) IS DISTINCT FROM (
                n.search_name, n.search_expertise, n.search_headline, n.search_bio, n.visibility
            );
        -- A review or a completed session changes a mentor, too; most often there is nothing to do.
        IF changed IS NULL THEN
            RETURN NULL;
        END IF;
        SELECT array_agg(turned.word), array_agg(turned.field), array_agg(turned.number)
        INTO words, fields, numbers
        FROM (
            SELECT w.word, w.field, m.number
            FROM (
                SELECT * FROM old_mentors
                UNION ALL
                SELECT * FROM new_mentors
            ) AS m
            INNER JOIN unnest(changed) AS c (number) ON c.number = m.number
            CROSS JOIN LATERAL search_words(
                m.search_name, m.search_expertise, m.search_headline, m.search_bio
            ) AS w
            WHERE m.visibility = 'public'
            GROUP BY w.word, w.field, m.number
            HAVING count(*) = 1
        ) AS turned;
    ELSE
        SELECT array_agg(w.word), array_agg(w.field), array_agg(c.number)
        INTO words, fields, numbers
        FROM come_or_gone AS c
        CROSS JOIN LATERAL search_words(
            c.search_name, c.search_expertise, c.search_headline, c.search_bio
        ) AS w
        WHERE c.visibility = 'public';
    END IF;
    IF words IS NULL THEN
        RETURN NULL;
    END IF;

    INSERT INTO search_vocabulary (word)
    SELECT DISTINCT w.word
    FROM unnest(words) AS w (word)
    WHERE NOT EXISTS (
        SELECT
        FROM search_vocabulary AS v
        WHERE v.word = w.word
    )
    ORDER BY w.word
    ON CONFLICT (word) DO NOTHING;

    INSERT INTO search_postings AS kept (word, field, block, mentors)
    SELECT
        turned.word,
        turned.field,
        search_block(turned.number),
        bit_or(search_bit(turned.number))
    FROM unnest(words, fields, numbers) AS turned (word, field, number)
    GROUP BY turned.word, turned.field, search_block(turned.number)
    ORDER BY turned.word, turned.field, search_block(turned.number)
    ON CONFLICT (word, field, block) DO UPDATE
        SET mentors = kept.mentors # excluded.mentors;
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

CREATE FUNCTION public.search_bit(number integer) RETURNS bit
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT set_bit(b'0'::bit(16384), number % 16384, 1) $$;

CREATE FUNCTION public.search_block(number integer) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT number / 16384 $$;

CREATE FUNCTION public.search_finds(words text[]) RETURNS TABLE(place bigint, tier integer, block integer, mentors bit)
    LANGUAGE sql STABLE ROWS 100 PARALLEL SAFE
    AS $$
    SELECT
        meant.place,
        meant.tier,
        meant.block,
        bit_or(meant.mentors)
    FROM (
        SELECT
            asked.place,
            CASE
                WHEN meaning.exact THEN 100 * p.field + round(10 * meaning.likeness)::integer
                ELSE 2 * round(10 * meaning.likeness)::integer + (p.field > 1)::integer
            END AS tier,
            p.block,
            p.mentors
        FROM unnest(words) WITH ORDINALITY AS asked (word, place)
        CROSS JOIN LATERAL search_meaning(asked.word) AS meaning
        -- PostgreSQL expects thousands of meanings, and would rather read all postings there are.
        -- OFFSET keeps it from that.
        CROSS JOIN LATERAL (
            SELECT
                field,
                block,
                mentors
            FROM search_postings
            WHERE word = meaning.word
            OFFSET 0
        ) AS p
    ) AS meant
    GROUP BY meant.place, meant.tier, meant.block
$$;

CREATE FUNCTION public.search_has(mentors bit[], number integer) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT get_bit(mentors[search_block(number) + 1], number % 16384) = 1 $$;

CREATE FUNCTION public.search_having_all(words integer, places bigint[], tiers integer[], blocks integer[], finds bit[], least_tier integer) RETURNS TABLE(block integer, mentors bit)
    LANGUAGE sql IMMUTABLE ROWS 10 PARALLEL SAFE
    AS $$
    SELECT
        has_word.block,
        bit_and(has_word.mentors)
    FROM (
        SELECT
            blocks[f] AS block,
            bit_or(finds[f]) AS mentors
        FROM generate_subscripts(finds, 1) AS f
        WHERE tiers[f] >= least_tier
        GROUP BY places[f], blocks[f]
    ) AS has_word
    GROUP BY has_word.block
    HAVING count(*) = words
$$;

CREATE FUNCTION public.search_meaning(asked text) RETURNS TABLE(word text, likeness real, exact boolean)
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    WITH a AS MATERIALIZED (
        SELECT
            f.folded,
            f.pattern,
            -- Each of these is null where it does not apply, and then its index has nothing to do.
            CASE WHEN char_length(f.folded) <= 2 THEN ARRAY[f.folded] END AS short,
            CASE WHEN char_length(f.folded) > 2 THEN f.pattern END AS long,
            CASE WHEN f.letters >= 4 THEN f.folded END AS misspelt,
            CASE WHEN f.letters >= 5 THEN containing_swapped(asked) END AS swapped
        FROM (
            SELECT
                fold(asked) AS folded,
                containing(asked) AS pattern,
                char_length(regexp_replace(asked, '[^[:alnum:]]', '', 'g')) AS letters
        ) AS f
    )

    SELECT
        v.word,
        similarity(a.folded, v.word),
        v.word LIKE a.pattern
    FROM a
    INNER JOIN search_vocabulary AS v
        ON
            v.short_parts @> a.short
            OR v.word LIKE a.long
            OR a.misspelt <% v.word
            OR v.word LIKE ANY (a.swapped)
$$;

CREATE FUNCTION public.search_mentors(words text[], phrase text, wanted bigint, skipped bigint) RETURNS TABLE(total bigint, ids uuid[])
    LANGUAGE plpgsql STABLE ROWS 1 PARALLEL SAFE
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
DECLARE
    none CONSTANT bit(16384) := b'0'::bit(16384);
    pattern CONSTANT text := containing(phrase);
    places bigint[];
    tiers integer[];
    blocks integer[];
    finds bit(16384)[];
    this_tier integer;
    better bit(16384)[];
    so_good bit(16384)[];
    here bit(16384)[];
    matches bigint;
BEGIN
    SELECT array_agg(f.place), array_agg(f.tier), array_agg(f.block), array_agg(f.mentors)
    INTO places, tiers, blocks, finds
    FROM search_finds(words) AS f;

    SELECT coalesce(sum(bit_count(has_all.mentors)), 0) INTO total
    FROM search_having_all(cardinality(words), places, tiers, blocks, finds, 0) AS has_all;

    ids := '{}';
    FOR this_tier IN
        SELECT DISTINCT t.tier
        FROM unnest(tiers) AS t (tier)
        WHERE total > skipped
        ORDER BY t.tier DESC
    LOOP
        SELECT array_agg(coalesce(has_all.mentors, none) ORDER BY b.block) INTO so_good
        FROM generate_series(0, (SELECT max(b.block) FROM unnest(blocks) AS b (block))) AS b (block)
        LEFT JOIN
            search_having_all(
                cardinality(words), places, tiers, blocks, finds, this_tier
            ) AS has_all
            ON has_all.block = b.block;

        IF better IS NULL THEN
            here := so_good;
        ELSE
            SELECT array_agg(so_good[b] & ~better[b] ORDER BY b) INTO here
            FROM generate_subscripts(so_good, 1) AS b;
        END IF;
        better := so_good;
        SELECT sum(bit_count(here[b])) INTO matches
        FROM generate_subscripts(here, 1) AS b;

        IF matches <= skipped THEN
            skipped := skipped - matches;
            CONTINUE;
        END IF;
        -- To sort a find takes as long as to pass twenty mentors on the way down the list.
        IF
            (cardinality(words) > 1 AND matches <= 1000)
            OR 20 * matches * matches < (wanted + skipped) * cardinality(here) * 16384
        THEN
            ids := ids || ARRAY(
                SELECT m.id
                FROM mentors AS m
                WHERE m.number = ANY (ARRAY(SELECT s.number FROM search_numbers(here) AS s))
                ORDER BY
                    CASE
                        WHEN m.search_name LIKE pattern THEN 3
                        WHEN m.search_expertise LIKE pattern THEN 2
                        WHEN m.search_headline LIKE pattern THEN 1
                        ELSE 0
                    END DESC,
                    m.rating DESC NULLS LAST,
                    m.review_count DESC,
                    m.total_sessions DESC,
                    m.id ASC
                LIMIT wanted - cardinality(ids) OFFSET skipped
            );
        ELSE
            ids := ids || ARRAY(
                SELECT m.id
                FROM mentors AS m
                WHERE m.visibility = 'public' AND search_has(here, m.number)
                ORDER BY
                    m.rating DESC NULLS LAST,
                    m.review_count DESC,
                    m.total_sessions DESC,
                    m.id ASC
                LIMIT wanted - cardinality(ids) OFFSET skipped
            );
        END IF;
        EXIT WHEN cardinality(ids) = wanted;
        skipped := 0;
    END LOOP;
    RETURN NEXT;
END
$$;

CREATE FUNCTION public.search_numbers(mentors bit[]) RETURNS TABLE(number integer)
    LANGUAGE sql IMMUTABLE ROWS 100 PARALLEL SAFE
    AS $$
    SELECT (
        (block.place - 1) * 16384 - 1
        + sum(length(zeros.run) + 1) OVER (PARTITION BY block.place ORDER BY zeros.place)
    )::integer
    FROM
        unnest(mentors) WITH ORDINALITY AS block (bits, place),
        string_to_table(block.bits::text, '1') WITH ORDINALITY AS zeros (run, place)
    WHERE zeros.place <= bit_count(block.bits)
$$;

CREATE FUNCTION public.search_rebuild() RETURNS void
    LANGUAGE sql
    AS $$
    LOCK TABLE mentors IN SHARE ROW EXCLUSIVE MODE;
    DELETE FROM search_postings;
    INSERT INTO search_postings (word, field, block, mentors)
    SELECT
        word,
        field,
        block,
        mentors
    FROM search_postings_recounted;
    INSERT INTO search_vocabulary (word)
    SELECT DISTINCT word
    FROM search_postings
    ON CONFLICT (word) DO NOTHING;
$$;

CREATE FUNCTION public.search_words(name text, expertise text, headline text, bio text) RETURNS TABLE(word text, field smallint)
    LANGUAGE sql IMMUTABLE ROWS 50 PARALLEL SAFE
    AS $$
    SELECT DISTINCT
        left(w.word, 200),
        f.field
    FROM (
        VALUES (4::smallint, name), (3, expertise), (2, headline), (1, bio)
    ) AS f (field, words)
    CROSS JOIN LATERAL regexp_split_to_table(f.words, '\s+') AS w (word)
    WHERE w.word <> ''
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

CREATE FUNCTION public.short_parts(word text) RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT array_agg(DISTINCT substr(word, i, length))
    FROM generate_series(1, char_length(word)) AS i
    CROSS JOIN generate_series(1, 2) AS length
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

ALTER TABLE public.mentors ALTER COLUMN number ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.mentors_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE VIEW public.request_list AS
 SELECT r.id,
    r.mentor_id,
    r.mentee_id,
    r.status,
    r.created_at,
    s.body
   FROM (public.requests r
     CROSS JOIN LATERAL public.request_shape(r.*) s(body));

CREATE TABLE public.search_postings (
    word text NOT NULL COLLATE pg_catalog."C",
    field smallint NOT NULL,
    block integer NOT NULL,
    mentors bit(16384) NOT NULL
)
WITH (toast_tuple_target='128');
ALTER TABLE ONLY public.search_postings ALTER COLUMN mentors SET STORAGE MAIN;

CREATE VIEW public.search_postings_recounted AS
 SELECT w.word,
    w.field,
    public.search_block(m.number) AS block,
    bit_or(public.search_bit(m.number)) AS mentors
   FROM public.mentors m,
    LATERAL public.search_words(m.search_name, m.search_expertise, m.search_headline, m.search_bio) w(word, field)
  WHERE (m.visibility = 'public'::text)
  GROUP BY w.word, w.field, (public.search_block(m.number));

CREATE TABLE public.search_vocabulary (
    word text NOT NULL COLLATE pg_catalog."C",
    short_parts text[] GENERATED ALWAYS AS (public.short_parts(word)) STORED
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

INSERT INTO public._yoyo_migration VALUES
	('86cf6e8c6754a2a37677db625a0b9e66e0234c76caa0cb481240ea25b91c2b60', '0001.schema', '2026-11-26 15:05:54.627304'),
	('dba56a95b25855beb14544585a88e5c7b61614cba01836aa618fff6130678949', '0002.rules', '2026-11-26 15:05:54.645202'),
	('1f9cd4615bde1ccb521eac5779697f4dcfca50e12dc517e7e007e65f76e0461b', '0003.shapes', '2026-11-26 15:05:54.661014'),
	('10349bde40b4b64937b39c639b33a353d9a79d6e0b7fd003ea2cb7bafbf14281', '0004.idempotency', '2026-11-26 15:05:54.674536'),
	('642ce275a358b57e9015b6b153d145d4c8a756a84de2d7cb3fd797084c51087c', '0005.calendar', '2026-11-26 15:05:54.67819'),
	('cb03ef42f925962b6a59c4853091a564f3d1c6266c13592ed21c061ce764963b', '0006.discovery', '2026-11-26 15:05:54.733024'),
	('c33943c45813c66d2e2dffde52298f0e84766980eea58402c6243debe07a48b8', '0007.history', '2026-11-26 15:05:54.751876'),
	('bd263acb81c349ffcc5c123e8668bf70a471179d6f516c2e26679d694e0ce876', '0008.search', '2026-11-26 15:05:54.791582');

INSERT INTO public._yoyo_version VALUES
	(2, '2026-11-26 15:05:54.361758');

INSERT INTO public.availability_windows VALUES
	('01a21864-47a7-7184-815e-e6d0bb1b238b', '01a21864-477d-7894-a523-2c0fa4e42403', 0, '09:00:00', '24:00:00'),
	('01a21864-47a7-7ed3-b4b0-1764b9e88838', '01a21864-477d-7894-a523-2c0fa4e42403', 1, '09:00:00', '24:00:00'),
	('01a21864-47a7-7f16-a79b-de5256bb441b', '01a21864-477d-7894-a523-2c0fa4e42403', 2, '09:00:00', '24:00:00'),
	('01a21864-47a7-7f3a-b767-2da21264e7cb', '01a21864-477d-7894-a523-2c0fa4e42403', 3, '09:00:00', '24:00:00'),
	('01a21864-47a7-7f58-81ad-99004e004d16', '01a21864-477d-7894-a523-2c0fa4e42403', 4, '09:00:00', '24:00:00'),
	('01a21864-47a7-7f77-80a5-b48cf2db1573', '01a21864-477d-7894-a523-2c0fa4e42403', 5, '09:00:00', '24:00:00'),
	('01a21864-47a7-7f94-8edc-f47232a9e895', '01a21864-477d-7894-a523-2c0fa4e42403', 6, '09:00:00', '24:00:00');

INSERT INTO public.bookings VALUES
	('01a21864-47ae-738e-897d-8852f1e0e5ce', '01a21864-47ac-7cf6-8738-ec73b373464e', '01a21864-477d-7894-a523-2c0fa4e42403', 'bob', 'Completed', NULL, '2024-01-08 10:00:00+00', '2024-01-08 11:00:00+00', 15, 'https://meet.example.com/ada', 'completed', DEFAULT, NULL, NULL, 4000.00, 'NGN', '2026-11-26 15:05:54.812136+00', '2026-11-26 15:05:54.812136+00', 0),
	('01a21864-47bf-722e-a8ef-4e741ea15fe0', NULL, '01a21864-477d-7894-a523-2c0fa4e42403', 'jane', 'By hand', NULL, '2099-01-06 10:00:00+00', '2099-01-06 11:00:00+00', 15, NULL, 'confirmed', DEFAULT, NULL, NULL, 0.00, 'NGN', '2026-11-26 15:05:54.812136+00', '2026-11-26 15:05:54.812136+00', 0),
	('01a21864-47bf-7b97-a9ad-e1cb77a013b2', NULL, '01a21864-477d-7894-a523-2c0fa4e42403', 'jane', 'Cancelled', NULL, '2099-01-06 10:00:00+00', '2099-01-06 11:00:00+00', 15, NULL, 'cancelled', DEFAULT, 'Ill', 'jane', 0.00, 'NGN', '2026-11-26 15:05:54.812136+00', '2026-11-26 15:05:54.812136+00', 0);

INSERT INTO public.idempotency_keys VALUES
	('jane', 'POST /api/requests', 'one', '\x00', 201, NULL, '{}', '2026-11-26 15:05:54.812136+00'),
	('ada', 'POST /api/requests/01a21864-47ac-7cf6-8738-ec73b373464e/accept', 'two', '\x00', 200, NULL, '{}', '2026-11-26 15:05:54.812136+00');

INSERT INTO public.mentor_counts VALUES
	('private', 1),
	('public', 2);

INSERT INTO public.mentors OVERRIDING SYSTEM VALUE VALUES
	('01a21864-478c-7635-b5e9-b629c16b3aa5', 'ben', 'Ben', NULL, 'word1 word2 word3 word4 word5 word6 word7 word8 word9 word10', '{}', NULL, NULL, NULL, false, false, '{}', 60, 0, 'UTC', NULL, 0.00, 'NGN', 'private', 0, 0, DEFAULT, 0, DEFAULT, DEFAULT, DEFAULT, DEFAULT, '2026-11-26 15:05:54.812136+00', '2026-11-26 15:05:54.812136+00', 2),
	('01a21864-478d-707c-b355-ae3ccaa33408', 'bob', 'Bob', NULL, 'w1 w2 w3 w4 w5 w6 w7 w8 w9 w10 w11 w12 w13 w14 w15 w16 w17 w18 w19 w20 w21 w22 w23 w24 w25 w26 w27 w28 w29 w30 w31 w32 w33 w34 w35 w36 w37 w38 w39 w40 w41 w42 w43 w44 w45 w46 w47 w48 w49 w50 w51 w52 w53 w54 w55 w56 w57 w58 w59 w60 w61 w62 w63 w64 w65 w66 w67 w68 w69 w70 w71 w72 w73 w74 w75 w76 w77 w78 w79 w80 w81 w82 w83 w84 w85 w86 w87 w88 w89 w90 w91 w92 w93 w94 w95 w96 w97 w98 w99 w100 w101 w102 w103 w104 w105 w106 w107 w108 w109 w110 w111 w112 w113 w114 w115 w116 w117 w118 w119 w120 w121 w122 w123 w124 w125 w126 w127 w128 w129 w130 w131 w132 w133 w134 w135 w136 w137 w138 w139 w140 w141 w142 w143 w144 w145 w146 w147 w148 w149 w150 w151 w152 w153 w154 w155 w156 w157 w158 w159 w160 w161 w162 w163 w164 w165 w166 w167 w168 w169 w170 w171 w172 w173 w174 w175 w176 w177 w178 w179 w180 w181 w182 w183 w184 w185 w186 w187 w188 w189 w190 w191 w192 w193 w194 w195 w196 w197 w198 w199 w200 w201 w202 w203 w204 w205 w206 w207 w208 w209 w210 w211 w212 w213 w214 w215 w216 w217 w218 w219 w220 w221 w222 w223 w224 w225 w226 w227 w228 w229 w230 w231 w232 w233 w234 w235 w236 w237 w238 w239 w240 w241 w242 w243 w244 w245 w246 w247 w248 w249 w250 w251 w252 w253 w254 w255 w256 w257 w258 w259 w260 w261 w262 w263 w264 w265 w266 w267 w268 w269 w270 w271 w272 w273 w274 w275 w276 w277 w278 w279 w280 w281 w282 w283 w284 w285 w286 w287 w288 w289 w290 w291 w292 w293 w294 w295 w296 w297 w298 w299 w300 w301 w302 w303 w304 w305 w306 w307 w308 w309 w310 w311 w312 w313 w314 w315 w316 w317 w318 w319 w320 w321 w322 w323 w324 w325 w326 w327 w328 w329 w330 w331 w332 w333 w334 w335 w336 w337 w338 w339 w340 w341 w342 w343 w344 w345 w346 w347 w348 w349 w350 w351 w352 w353 w354 w355 w356 w357 w358 w359 w360 w361 w362 w363 w364 w365 w366 w367 w368 w369 w370 w371 w372 w373 w374 w375 w376 w377 w378 w379 w380 w381 w382 w383 w384 w385 w386 w387 w388 w389 w390 w391 w392 w393 w394 w395 w396 w397 w398 w399 w400 w401 w402 w403 w404 w405 w406 w407 w408 w409 w410 w411 w412 w413 w414 w415 w416 w417 w418 w419 w420 w421 w422 w423 w424 w425 w426 w427 w428 w429 w430 w431 w432 w433 w434 w435 w436 w437 w438 w439 w440 w441 w442 w443 w444 w445 w446 w447 w448 w449 w450 w451 w452 w453 w454 w455 w456 w457 w458 w459 w460 w461 w462 w463 w464 w465 w466 w467 w468 w469 w470 w471 w472 w473 w474 w475 w476 w477 w478 w479 w480 w481 w482 w483 w484 w485 w486 w487 w488 w489 w490 w491 w492 w493 w494 w495 w496 w497 w498 w499 w500 w501 w502 w503 w504 w505 w506 w507 w508 w509 w510', '{}', NULL, NULL, NULL, false, false, '{}', 60, 0, 'UTC', NULL, 0.00, 'NGN', 'public', 0, 0, DEFAULT, 0, DEFAULT, DEFAULT, DEFAULT, DEFAULT, '2026-11-26 15:05:54.812136+00', '2026-11-26 15:05:54.812136+00', 3),
	('01a21864-477d-7894-a523-2c0fa4e42403', 'ada', 'Ada Obi', 'Staff engineer', 'Designs systems and café menus', '{"System Design",Go}', 'Lagos', 'http://old.example.com/api/images/0123456789abcdef.webp', '0123456789abcdef.webp', true, true, '{"github": "https://github.com/ada"}', 60, 15, 'UTC', 'https://meet.example.com/ada', 5000.00, 'NGN', 'public', 1, 5, DEFAULT, 1, DEFAULT, DEFAULT, DEFAULT, DEFAULT, '2026-11-26 15:05:54.812136+00', '2026-11-26 15:05:54.812136+00', 1);

INSERT INTO public.requests VALUES
	('01a21864-47a8-7987-851c-a3041c89317e', '01a21864-477d-7894-a523-2c0fa4e42403', 'jane', 'Pending', 'Hello', '2099-01-05 10:00:00+00', '2099-01-05 11:00:00+00', '', 'pending', NULL, NULL, '2026-11-26 15:05:54.812136+00', '2026-11-26 15:05:54.812136+00'),
	('01a21864-47ab-77dd-a65e-e42aff2cc725', '01a21864-477d-7894-a523-2c0fa4e42403', 'bob', 'Rejected', NULL, '2024-01-05 10:00:00+00', '2024-01-05 11:00:00+00', NULL, 'rejected', 'No time', NULL, '2026-11-26 15:05:54.812136+00', '2026-11-26 15:05:54.812136+00'),
	('01a21864-47ac-71c0-9471-c41bee8d4dd5', '01a21864-477d-7894-a523-2c0fa4e42403', 'bob', 'Cancelled', NULL, '2024-01-05 10:00:00+00', '2024-01-05 11:00:00+00', NULL, 'cancelled', NULL, NULL, '2026-11-26 15:05:54.812136+00', '2026-11-26 15:05:54.812136+00'),
	('01a21864-47ac-7cf6-8738-ec73b373464e', '01a21864-477d-7894-a523-2c0fa4e42403', 'bob', 'Completed', NULL, '2024-01-08 10:00:00+00', '2024-01-08 11:00:00+00', NULL, 'accepted', NULL, '01a21864-47ae-738e-897d-8852f1e0e5ce', '2026-11-26 15:05:54.812136+00', '2026-11-26 15:05:54.812136+00');

INSERT INTO public.reviews VALUES
	('01a21864-47be-733d-9ae8-d755f0e1e79d', '01a21864-47ae-738e-897d-8852f1e0e5ce', '01a21864-477d-7894-a523-2c0fa4e42403', 'bob', 5, 'Helpful', '2026-11-26 15:05:54.812136+00');

INSERT INTO public.state_changes VALUES
	('01a21864-47a9-7672-91e1-88be8e7954bd', '01a21864-47a8-7987-851c-a3041c89317e', NULL, NULL, 'pending', NULL, NULL, 'jane', 'user', 'postgres', NULL, '2026-11-26 15:05:54.812136+00'),
	('01a21864-47ab-7a96-b931-df24547ad7f2', '01a21864-47ab-77dd-a65e-e42aff2cc725', NULL, NULL, 'rejected', NULL, NULL, 'bob', 'user', 'postgres', 'No time', '2026-11-26 15:05:54.812136+00'),
	('01a21864-47ac-7651-83aa-d35f3f904146', '01a21864-47ac-71c0-9471-c41bee8d4dd5', NULL, NULL, 'cancelled', NULL, NULL, 'bob', 'user', 'postgres', NULL, '2026-11-26 15:05:54.812136+00'),
	('01a21864-47ac-7e49-aff9-3344c4716fc3', '01a21864-47ac-7cf6-8738-ec73b373464e', NULL, NULL, 'pending', NULL, NULL, 'bob', 'user', 'postgres', NULL, '2026-11-26 15:05:54.812136+00'),
	('01a21864-47b1-71ba-9457-1c2541ff93df', NULL, '01a21864-47ae-738e-897d-8852f1e0e5ce', NULL, 'confirmed', '2024-01-08 10:00:00+00', '2024-01-08 11:00:00+00', 'ada', 'user', 'postgres', NULL, '2026-11-26 15:05:54.812136+00'),
	('01a21864-47b2-7014-b18c-5148ceede273', '01a21864-47ac-7cf6-8738-ec73b373464e', NULL, 'pending', 'accepted', NULL, NULL, 'ada', 'user', 'postgres', NULL, '2026-11-26 15:05:54.812137+00'),
	('01a21864-47b9-762e-a833-ecedd758d75f', NULL, '01a21864-47ae-738e-897d-8852f1e0e5ce', 'confirmed', 'pending_completion', '2024-01-08 10:00:00+00', '2024-01-08 11:00:00+00', NULL, 'sweep', 'postgres', NULL, '2026-11-26 15:05:54.812137+00'),
	('01a21864-47bd-714a-9cb9-f0caba8c351d', NULL, '01a21864-47ae-738e-897d-8852f1e0e5ce', 'pending_completion', 'completed', '2024-01-08 10:00:00+00', '2024-01-08 11:00:00+00', NULL, 'database', 'postgres', NULL, '2026-11-26 15:05:54.812138+00'),
	('01a21864-47bf-7795-8aad-17303fa61b8d', NULL, '01a21864-47bf-722e-a8ef-4e741ea15fe0', NULL, 'confirmed', '2099-01-06 10:00:00+00', '2099-01-06 11:00:00+00', NULL, 'database', 'postgres', NULL, '2026-11-26 15:05:54.812136+00'),
	('01a21864-47bf-7e86-b891-9a1b315ba23e', NULL, '01a21864-47bf-7b97-a9ad-e1cb77a013b2', NULL, 'cancelled', '2099-01-06 10:00:00+00', '2099-01-06 11:00:00+00', NULL, 'database', 'postgres', 'Ill', '2026-11-26 15:05:54.812136+00');

INSERT INTO public.users VALUES
	('ada', 'Ada Obi', 'ada@example.com', 'https://example.com/ada.png', '2026-11-26 15:05:54.812136+00', '2026-11-26 15:05:54.812136+00'),
	('ben', 'Ben', NULL, NULL, '2026-11-26 15:05:54.812136+00', '2026-11-26 15:05:54.812136+00'),
	('jane', 'Jane', 'jane@example.com', NULL, '2026-11-26 15:05:54.812136+00', '2026-11-26 15:05:54.812136+00'),
	('bob', NULL, NULL, NULL, '2026-11-26 15:05:54.812136+00', '2026-11-26 15:05:54.812136+00');

SELECT pg_catalog.setval('public.mentors_number_seq', 3, true);

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
    ADD CONSTRAINT mentors_number UNIQUE (number);

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

ALTER TABLE ONLY public.search_postings
    ADD CONSTRAINT search_postings_pkey PRIMARY KEY (word, field, block);

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

CREATE INDEX mentors_best_first ON public.mentors USING btree (rating DESC NULLS LAST, review_count DESC, total_sessions DESC, id) INCLUDE (number) WHERE (visibility = 'public'::text);

CREATE INDEX requests_by_mentee ON public.requests USING btree (mentee_id, created_at DESC, id DESC);

CREATE INDEX requests_by_mentor ON public.requests USING btree (mentor_id, created_at DESC, id DESC);

CREATE UNIQUE INDEX requests_one_pending ON public.requests USING btree (mentor_id, mentee_id) WHERE (status = 'pending'::text);

CREATE INDEX reviews_by_mentee ON public.reviews USING btree (mentee_id, created_at DESC, id DESC);

CREATE INDEX reviews_by_mentor ON public.reviews USING btree (mentor_id, created_at DESC, id DESC);

CREATE INDEX search_vocabulary_short_parts ON public.search_vocabulary USING gin (short_parts);

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

CREATE TRIGGER mentors_index_changed AFTER UPDATE ON public.mentors REFERENCING OLD TABLE AS old_mentors NEW TABLE AS new_mentors FOR EACH STATEMENT EXECUTE FUNCTION public.mentors_index();

CREATE TRIGGER mentors_index_gone AFTER DELETE ON public.mentors REFERENCING OLD TABLE AS come_or_gone FOR EACH STATEMENT EXECUTE FUNCTION public.mentors_index();

CREATE TRIGGER mentors_index_new AFTER INSERT ON public.mentors REFERENCING NEW TABLE AS come_or_gone FOR EACH STATEMENT EXECUTE FUNCTION public.mentors_index();

CREATE TRIGGER mentors_recounted AFTER UPDATE OF visibility ON public.mentors FOR EACH ROW WHEN ((old.visibility <> new.visibility)) EXECUTE FUNCTION public.mentors_count();

CREATE TRIGGER mentors_tell_card_changed AFTER UPDATE ON public.mentors FOR EACH ROW WHEN ((((((((((((old.user_id IS DISTINCT FROM new.user_id) OR (old.full_name IS DISTINCT FROM new.full_name)) OR (old.profile_image_url IS DISTINCT FROM new.profile_image_url)) OR (old.headline IS DISTINCT FROM new.headline)) OR (old.bio IS DISTINCT FROM new.bio)) OR (old.expertise IS DISTINCT FROM new.expertise)) OR (old.session_duration IS DISTINCT FROM new.session_duration)) OR (old.rating_sum IS DISTINCT FROM new.rating_sum)) OR (old.review_count IS DISTINCT FROM new.review_count)) OR (old.total_sessions IS DISTINCT FROM new.total_sessions)) OR (old.visibility IS DISTINCT FROM new.visibility))) EXECUTE FUNCTION public.tell_lists();

CREATE TRIGGER mentors_tell_changed AFTER UPDATE ON public.mentors FOR EACH ROW EXECUTE FUNCTION public.tell_mentor();

CREATE TRIGGER mentors_tell_come_or_gone AFTER INSERT OR DELETE ON public.mentors FOR EACH ROW EXECUTE FUNCTION public.tell_lists();

CREATE TRIGGER mentors_tell_gone AFTER DELETE ON public.mentors FOR EACH ROW EXECUTE FUNCTION public.tell_mentor();

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

-- Its rows are 16,384 characters long, so they are not part of this file.
SELECT search_rebuild();
