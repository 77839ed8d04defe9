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

CREATE FUNCTION public.are_windows(start_times time without time zone[], end_times time without time zone[]) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT
        cardinality(start_times) <= 10
        AND cardinality(start_times) = cardinality(end_times)
        AND coalesce(
            bool_and(
                w.starts < w.ends
                AND w.starts >= w.earlier_end
                AND extract(SECOND FROM w.starts) = 0
                AND extract(SECOND FROM w.ends) = 0
            ),
            TRUE
        )
    FROM (
        SELECT
            t.starts,
            t.ends,
            lag(t.ends, 1, '00:00') OVER (ORDER BY t.place) AS earlier_end
        FROM unnest(start_times, end_times) WITH ORDINALITY AS t (starts, ends, place)
    ) AS w
$$;

CREATE FUNCTION public.availability_candidates(passing bit varying, begins timestamp with time zone, minutes integer, wanted integer, sample_size integer, checked uuid[], OUT ids uuid[], OUT times timestamp with time zone[], OUT bound timestamp with time zone, OUT is_all boolean) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    AS $$
DECLARE
    -- The minutes of mentor_starts begin with Monday 00:00 UTC.
    first_minute CONSTANT integer := (
        extract(EPOCH FROM begins AT TIME ZONE 'UTC' - date_trunc('week', begins AT TIME ZONE 'UTC'))
        / 60
    )::integer;
    -- The first mentors of the list.
    sample CONSTANT uuid[] := search_page(passing, 'best', NULL, sample_size, 0);
    -- The other mentors who may be free before the bound.
    others uuid[] := '{}';
    -- The bound, in minutes after `begins`.
    reach integer;
BEGIN
    is_all := cardinality(sample) < sample_size;
    IF NOT is_all THEN
        SELECT e.in_minutes INTO reach
        FROM earliest_starts(sample, first_minute) AS e
        WHERE e.in_minutes < minutes
        ORDER BY e.in_minutes
        LIMIT 1 OFFSET wanted - 1;
    END IF;
    reach := coalesce(reach, minutes);
    bound := begins + make_interval(mins => reach);
    IF NOT is_all THEN
        others := ARRAY(
            SELECT s.mentor_id
            FROM mentor_starts AS s
            WHERE s.starts && ARRAY(
                SELECT (g.minute % 10080)::smallint
                FROM generate_series(first_minute, first_minute + reach - 1) AS g (minute)
            )
        );
    END IF;

    SELECT
        array_agg(c.mentor_id ORDER BY c.place),
        array_agg(begins + make_interval(mins => c.in_minutes) ORDER BY c.place)
    INTO ids, times
    FROM (
        SELECT
            e.mentor_id,
            e.in_minutes,
            row_number() OVER (
                ORDER BY
                    e.in_minutes ASC,
                    m.rating DESC NULLS LAST,
                    m.review_count DESC,
                    m.total_sessions DESC,
                    m.id ASC
            ) AS place
        FROM (
            SELECT
                u.mentor_id,
                min(u.in_minutes) AS in_minutes
            FROM (
                SELECT
                    s.mentor_id,
                    s.in_minutes
                FROM earliest_starts(sample || others, first_minute) AS s
                UNION ALL
                SELECT
                    i.mentor_id,
                    i.in_minutes
                FROM irregular_starts(begins, reach) AS i
            ) AS u
            WHERE u.in_minutes < minutes AND u.in_minutes <= reach
            GROUP BY u.mentor_id
        ) AS e
        INNER JOIN mentors AS m ON m.id = e.mentor_id
        WHERE
            m.visibility = 'public'
            AND m.accepting_requests
            AND (passing IS NULL OR get_bit(passing, m.number) = 1)
            AND m.id <> ALL (checked)
    ) AS c;
END
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
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    number integer NOT NULL,
    own_rate boolean DEFAULT false NOT NULL,
    availability_timezone text DEFAULT 'UTC'::text NOT NULL,
    minimum_notice_minutes integer DEFAULT 0 NOT NULL,
    horizon_days integer,
    max_sessions_per_day integer,
    max_sessions_per_week integer,
    cancel_cutoff_hours integer DEFAULT 0 NOT NULL,
    accepting_requests boolean DEFAULT true NOT NULL,
    languages text[] DEFAULT '{}'::text[] NOT NULL,
    CONSTRAINT mentors_buffer_time CHECK ((buffer_time = ANY (ARRAY[0, 15, 30, 45]))),
    CONSTRAINT mentors_counts CHECK (((review_count >= 0) AND (total_sessions >= 0) AND ((rating_sum >= review_count) AND (rating_sum <= (5 * review_count))))),
    CONSTRAINT mentors_languages CHECK ((cardinality(languages) <= 10)),
    CONSTRAINT mentors_links_object CHECK ((jsonb_typeof(links) = 'object'::text)),
    CONSTRAINT mentors_policy CHECK ((((minimum_notice_minutes >= 0) AND (minimum_notice_minutes <= 43200)) AND ((horizon_days >= 1) AND (horizon_days <= 730)) AND ((max_sessions_per_day >= 1) AND (max_sessions_per_day <= 50)) AND ((max_sessions_per_week >= 1) AND (max_sessions_per_week <= 200)) AND ((cancel_cutoff_hours >= 0) AND (cancel_cutoff_hours <= 168)))),
    CONSTRAINT mentors_session_currency CHECK ((session_currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT mentors_session_duration CHECK ((session_duration = ANY (ARRAY[30, 60, 90, 120]))),
    CONSTRAINT mentors_session_rate CHECK ((session_rate >= (0)::numeric)),
    CONSTRAINT mentors_visibility CHECK ((visibility = ANY (ARRAY['public'::text, 'private'::text])))
);

COMMENT ON COLUMN public.mentors.profile_image_url IS 'An image elsewhere; null if the image was uploaded here. image_url(mentors) is what is shown.';

COMMENT ON COLUMN public.mentors.profile_image_file IS 'The name of the uploaded image''s file, or null.';

COMMENT ON COLUMN public.mentors.languages IS 'BCP 47 tags in canonical form, the first ones preferred.';

CREATE FUNCTION public.availability_json(m public.mentors) RETURNS TABLE(body json)
    LANGUAGE sql STABLE ROWS 1 PARALLEL SAFE
    AS $$
    SELECT json_build_object(
        'sessionDuration', m.session_duration,
        'bufferTime', m.buffer_time,
        'timezone', m.timezone,
        'availabilityTimezone', m.availability_timezone,
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

CREATE FUNCTION public.bookings_reserve_time() RETURNS trigger
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

CREATE TABLE public.events (
    xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    id bigint NOT NULL,
    type text NOT NULL,
    object_id uuid,
    mentor_id uuid,
    mentee_id text,
    old_status text,
    status text,
    start_time timestamp with time zone,
    end_time timestamp with time zone,
    is_history boolean DEFAULT false NOT NULL,
    source text,
    user_id text,
    database_user text DEFAULT SESSION_USER NOT NULL,
    reason text,
    stale text DEFAULT 'nothing'::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT events_stale CHECK ((stale = ANY (ARRAY['nothing'::text, 'mentor'::text, 'lists'::text, 'user'::text, 'all'::text])))
);

CREATE FUNCTION public.change_json(e public.events, mentor_user_id text) RETURNS TABLE(body json)
    LANGUAGE sql STABLE ROWS 1 PARALLEL SAFE
    AS $$
    SELECT json_build_object(
        'from', e.old_status,
        'to', e.status,
        'by', CASE
            WHEN e.source = 'sweep' THEN 'system'
            WHEN e.source = 'database' THEN 'admin'
            WHEN e.user_id = mentor_user_id THEN 'mentor'
            ELSE 'mentee'
        END,
        'reason', e.reason,
        'startTime', iso(e.start_time),
        'endTime', iso(e.end_time),
        'at', iso(e.created_at)
    )
$$;

CREATE FUNCTION public.compute_mentor_starts(of_mentors uuid[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    of_mentors := coalesce(of_mentors, ARRAY(SELECT m.id FROM mentors AS m));
    PERFORM
    FROM mentors AS m
    WHERE m.id = ANY (of_mentors)
    ORDER BY m.id
    FOR NO KEY UPDATE;

    DELETE FROM mentor_starts AS s
    WHERE s.mentor_id = ANY (of_mentors);

    INSERT INTO mentor_starts (mentor_id, starts)
    SELECT
        p.mentor_id,
        p.starts
    FROM mentors AS m
    CROSS JOIN LATERAL possible_starts(m) AS p
    WHERE m.id = ANY (of_mentors);
END
$$;

CREATE FUNCTION public.count_links(links jsonb) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT count(*) FROM jsonb_object_keys(links) $$;

CREATE FUNCTION public.current_actor(OUT user_id text, OUT source text) RETURNS record
    LANGUAGE plpgsql STABLE
    AS $$
DECLARE
    actor text := coalesce(current_setting('mentorapi.actor', true), '');
BEGIN
    user_id := CASE WHEN starts_with(actor, 'user:') THEN substr(actor, 6) END;
    source := CASE
        WHEN user_id IS NOT NULL THEN 'user' WHEN actor = 'sweep' THEN 'sweep' ELSE 'database'
    END;
END
$$;

CREATE FUNCTION public.day_start(day date, zone text) RETURNS timestamp with time zone
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT CASE
        WHEN
            ((day - interval '12 hours') AT TIME ZONE zone + interval '12 hours')
            AT TIME ZONE zone = day
            THEN (day - interval '12 hours') AT TIME ZONE zone + interval '12 hours'
        ELSE day::timestamp AT TIME ZONE zone
    END
$$;

CREATE FUNCTION public.delete_history() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    DELETE FROM events
    WHERE object_id = OLD.id AND is_history;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.delete_old_events(batch_size bigint) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
    WITH old AS (
        SELECT
            e.xid,
            e.id
        FROM events AS e
        WHERE NOT e.is_history AND e.created_at < now() - interval '30 days'
        ORDER BY e.created_at
        LIMIT batch_size
        FOR UPDATE SKIP LOCKED
    ),

    deleted AS (
        DELETE FROM events
        USING old
        WHERE events.xid = old.xid AND events.id = old.id
        RETURNING events.id
    )

    SELECT count(*)
    FROM deleted
$$;

CREATE FUNCTION public.earliest_starts(of_mentors uuid[], first_minute integer) RETURNS TABLE(mentor_id uuid, in_minutes integer)
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT
        s.mentor_id,
        next.in_minutes
    FROM mentor_starts AS s
    CROSS JOIN LATERAL (
        SELECT min((u.minute - first_minute + 10080) % 10080) AS in_minutes
        FROM unnest(s.starts) AS u (minute)
    ) AS next
    WHERE s.mentor_id = ANY (of_mentors)
$$;

CREATE FUNCTION public.event_json(e public.events) RETURNS TABLE(body json)
    LANGUAGE sql STABLE ROWS 1 PARALLEL SAFE
    AS $$
    SELECT json_build_object(
        'id', e.xid || '-' || e.id,
        'type', e.type,
        'createdAt', iso(e.created_at),
        'data', json_strip_nulls(
            json_build_object(
                'object', split_part(e.type, '.', 1),
                'id', e.object_id,
                'mentorId', e.mentor_id,
                'mentorUserId', (
                    SELECT m.user_id
                    FROM mentors AS m
                    WHERE m.id = e.mentor_id
                ),
                'menteeId', e.mentee_id,
                'status', e.status,
                'startTime', iso(e.start_time)
            )
        )
    )
$$;

CREATE FUNCTION public.expertise_key(expertise text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT left(btrim(regexp_replace(fold(expertise), '\s+', ' ', 'g')), 200) $$;

CREATE FUNCTION public.expiry_reason() RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT 'Expired without an answer' $$;

CREATE FUNCTION public.filter_terms(m public.mentors) RETURNS TABLE(field text, word text)
    LANGUAGE sql STABLE ROWS 10 PARALLEL SAFE
    AS $$
    SELECT
        'expertise',
        concat_ws(E'\n', expertise_key(e.value), btrim(e.value))
    FROM unnest(m.expertise) AS e (value)
    UNION
    SELECT
        'language',
        concat_ws(E'\n', r.language_range, l.tag)
    FROM unnest(m.languages) AS l (tag)
    CROSS JOIN LATERAL language_ranges(l.tag) AS r
    UNION
    SELECT
        'currency',
        concat_ws(E'\n', m.session_currency, lpad(m.session_rate::text, 13, '0'))
    UNION
    SELECT
        'duration',
        concat_ws(E'\n', m.session_duration, '')
    UNION
    SELECT
        'rating',
        concat_ws(E'\n', '', m.rating)
    WHERE m.rating IS NOT NULL
$$;

CREATE FUNCTION public.first_slots(m public.mentors, from_time timestamp with time zone, to_time timestamp with time zone) RETURNS TABLE(first_start timestamp with time zone, slots json)
    LANGUAGE sql STABLE ROWS 1 PARALLEL SAFE
    AS $$
    SELECT
        min(s.start_time),
        json_agg(
            slot_json(s.start_time, s.end_time, m.session_duration)::json
            ORDER BY s.start_time
        )
    FROM (
        SELECT
            o.start_time,
            o.end_time
        FROM mentor_slots(
            m, (from_time AT TIME ZONE 'UTC')::date, (to_time AT TIME ZONE 'UTC')::date
        ) AS o
        WHERE o.start_time >= from_time AND o.end_time <= to_time
        ORDER BY o.start_time
        LIMIT 3
    ) AS s
$$;

CREATE FUNCTION public.fold(words text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT CASE
        WHEN octet_length(words) = char_length(words) THEN lower(words)
        ELSE replace(
            lower(unaccent(translate(
                normalize(
                    regexp_replace(
                        normalize(words, NFKD),
                        '[\u0300-\u036f\u0591-\u05c7\u0640\u064b-\u065f\u0670'
                        '\u00ad\u200b-\u200f\u2060\ufe00-\ufe0f\ufeff]',
                        '', 'g'
                    ),
                    NFKC
                ),
                '–—―', '   '
            ))),
            'ς', 'σ'
        )
    END
$$;

CREATE FUNCTION public.has_text(words text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT coalesce(
        words
        ~ '[^\u0001-\u0020\u007f-\u00a0\u00ad\u061c\u115f\u1160\u1680\u180e\u2000-\u200f'
        '\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufeff\uffa0\U000e0000-\U000e0fff]',
        FALSE
    )
$$;

CREATE FUNCTION public.image_url(m public.mentors) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT coalesce(
        coalesce(current_setting('mentorapi.public_url', true), '')
        || '/api/images/' || m.profile_image_file,
        m.profile_image_url
    )
$$;

CREATE FUNCTION public.irregular_starts(begins timestamp with time zone, within integer) RETURNS TABLE(mentor_id uuid, in_minutes integer)
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT
        b.mentor_id,
        t.in_minutes
    FROM bookings AS b
    INNER JOIN mentors AS m ON m.id = b.mentor_id
    INNER JOIN mentor_starts AS s ON s.mentor_id = b.mentor_id
    CROSS JOIN LATERAL (
        SELECT
            minutes_between(begins, b.start_time) - m.session_duration - m.buffer_time AS in_minutes,
            minutes_between(
                date_trunc('week', b.start_time AT TIME ZONE 'UTC') AT TIME ZONE 'UTC', b.start_time
            ) - m.session_duration - m.buffer_time AS minute
    ) AS t
    WHERE
        b.live
        AND b.start_time BETWEEN begins
        AND begins + make_interval(mins => least(within, 165) + 165)
        AND t.in_minutes BETWEEN 0 AND least(within, 165)
        AND NOT s.starts @> ARRAY[((t.minute + 10080) % 10080)::smallint]
    UNION ALL
    SELECT
        o.mentor_id,
        t.in_minutes
    FROM time_off AS o
    INNER JOIN mentors AS m ON m.id = o.mentor_id
    CROSS JOIN LATERAL (
        SELECT floor(
            extract(EPOCH FROM o.starts_at - begins) / 60
        )::integer - m.session_duration AS in_minutes
    ) AS t
    WHERE
        o.starts_at BETWEEN begins AND begins + make_interval(mins => least(within, 165) + 120)
        AND t.in_minutes BETWEEN 0 AND least(within, 165)
    UNION ALL
    -- A window that ends at midnight may go on in a window of the next day.
    SELECT
        o.mentor_id,
        greatest(0, ceil(extract(EPOCH FROM t.opens - begins) / 60)::integer)
    FROM availability_overrides AS o
    INNER JOIN mentors AS m ON m.id = o.mentor_id
    CROSS JOIN LATERAL unnest(o.start_times, o.end_times) AS w (start_time, end_time)
    CROSS JOIN LATERAL (
        SELECT
            -- An hour earlier, since the time may be skipped when the clock is changed.
            (o.day + w.start_time) AT TIME ZONE m.availability_timezone - interval '1 hour'
            AS opens,
            (o.day + w.end_time) AT TIME ZONE m.availability_timezone
            + CASE WHEN w.end_time = '24:00' THEN interval '1 day' ELSE interval '1 hour' END
            AS closes
    ) AS t
    WHERE
        o.day BETWEEN (begins AT TIME ZONE 'UTC')::date - 2
        AND (begins AT TIME ZONE 'UTC')::date + within / 1440 + 2
        AND t.closes > begins
        AND t.opens <= begins + make_interval(mins => within)
$$;

CREATE FUNCTION public.iso(instant timestamp with time zone) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT replace(
        to_char(instant AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS'), '.000', ''
    ) || 'Z'
$$;

CREATE FUNCTION public.language_ranges(tag text) RETURNS TABLE(language_range text)
    LANGUAGE sql IMMUTABLE ROWS 2 PARALLEL SAFE
    AS $$
    SELECT array_to_string(split.parts[:n], '-')
    FROM string_to_array(tag, '-') AS split (parts)
    CROSS JOIN LATERAL generate_series(1, cardinality(split.parts)) AS n
$$;

CREATE FUNCTION public.mentor_admits(m public.mentors, start_time timestamp with time zone, end_time timestamp with time zone) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF start_time <= now() THEN
        RETURN FALSE;
    END IF;
    IF num_nonnulls(m.max_sessions_per_day, m.max_sessions_per_week) > 0 THEN
        SELECT mentors.* INTO m
        FROM mentors
        WHERE mentors.id = m.id
        FOR NO KEY UPDATE;
    END IF;
    RETURN (
        SELECT tstzrange(start_time, end_time) <@ c.free AND start_time <@ c.starts
        FROM mentor_hours(m, start_time, end_time) AS h
        CROSS JOIN LATERAL mentor_free_time(m, h.hours, start_time, end_time) AS c
    );
END
$$;

CREATE FUNCTION public.mentor_card(m public.mentors) RETURNS TABLE(body json)
    LANGUAGE sql STABLE ROWS 1 PARALLEL SAFE
    AS $$
    SELECT row_to_json(fields)
    FROM (
        SELECT
            m.id,
            m.user_id AS "userId",
            m.full_name AS "fullName",
            image_url(m) AS "profileImageUrl",
            m.headline,
            m.bio,
            m.expertise,
            m.location,
            m.session_duration AS "sessionDuration",
            m.timezone,
            trim_scale(m.session_rate) AS "sessionRate",
            m.session_currency AS "sessionCurrency",
            m.rating,
            m.review_count AS "totalReviews",
            m.total_sessions AS "totalSessions"
    ) AS fields
$$;

CREATE FUNCTION public.mentor_free_time(for_mentor uuid, from_date date, to_date date) RETURNS tstzmultirange
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT c.free * tstzmultirange(asked.period)
    FROM mentors AS m
    CROSS JOIN (
        SELECT
            tstzrange(
                from_date::timestamp AT TIME ZONE 'UTC', (to_date + 1)::timestamp AT TIME ZONE 'UTC'
            ) AS period
    ) AS asked
    CROSS JOIN LATERAL mentor_hours(m, lower(asked.period), upper(asked.period)) AS h
    CROSS JOIN LATERAL mentor_free_time(
        m, h.hours, lower(asked.period), upper(asked.period)
    ) AS c
    WHERE m.id = for_mentor
$$;

CREATE FUNCTION public.mentor_free_time(m public.mentors, open_hours tstzmultirange, from_time timestamp with time zone, to_time timestamp with time zone) RETURNS TABLE(time_off tstzmultirange, taken tstzmultirange, earliest timestamp with time zone, horizon timestamp with time zone, full_days tstzmultirange, full_weeks tstzmultirange, free tstzmultirange, starts tstzmultirange)
    LANGUAGE sql STABLE ROWS 1 PARALLEL SAFE
    AS $$
    SELECT
        coalesce(off.hours, '{}'),
        coalesce(busy.hours, '{}'),
        policy.earliest,
        policy.horizon,
        policy.full_days,
        policy.full_weeks,
        open_hours - coalesce(off.hours, '{}') - coalesce(busy.hours, '{}'),
        CASE
            WHEN m.accepting_requests
                THEN
                    tstzmultirange(
                        tstzrange(policy.earliest, NULL) * tstzrange(NULL, policy.horizon)
                    ) - policy.full_days - policy.full_weeks
            ELSE '{}'
        END
    FROM (
        SELECT range_agg(tstzrange(t.starts_at, t.ends_at)) AS hours
        FROM time_off AS t
        WHERE t.mentor_id = m.id AND t.ends_at > from_time AND t.starts_at < to_time
    ) AS off
    CROSS JOIN (
        SELECT
            range_agg(tstzrange(
                b.start_time - make_interval(mins => m.buffer_time),
                b.end_time + make_interval(mins => m.buffer_time)
            )) AS hours
        FROM bookings AS b
        WHERE
            b.mentor_id = m.id
            AND b.live
            AND occupied(b.start_time, b.end_time, b.buffer_time)
            && tstzrange(from_time - interval '1 hour', to_time + interval '1 hour')
    ) AS busy
    CROSS JOIN (
        SELECT
            greatest(
                now() + interval '1 microsecond',
                now() + make_interval(mins => m.minimum_notice_minutes)
            ) AS earliest,
            CASE
                WHEN m.horizon_days IS NOT NULL
                    THEN day_start(
                        (now() AT TIME ZONE m.availability_timezone)::date + m.horizon_days + 1,
                        m.availability_timezone
                    )
            END AS horizon,
            coalesce(CASE
                WHEN m.max_sessions_per_day IS NOT NULL
                    THEN mentor_full_periods(m, 'day', m.max_sessions_per_day, from_time, to_time)
            END, '{}') AS full_days,
            coalesce(CASE
                WHEN m.max_sessions_per_week IS NOT NULL
                    THEN mentor_full_periods(m, 'week', m.max_sessions_per_week, from_time, to_time)
            END, '{}') AS full_weeks
    ) AS policy
$$;

CREATE FUNCTION public.mentor_full_periods(m public.mentors, unit text, most integer, from_time timestamp with time zone, to_time timestamp with time zone) RETURNS tstzmultirange
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT range_agg(tstzrange(
        day_start(p.begins::date, m.availability_timezone),
        day_start((p.begins + ('1 ' || unit)::interval)::date, m.availability_timezone)
    ))
    FROM (
        SELECT date_trunc(unit, s.start_time AT TIME ZONE m.availability_timezone) AS begins
        FROM (
            SELECT b.start_time
            FROM bookings AS b
            WHERE b.mentor_id = m.id AND b.status <> 'cancelled'
            UNION ALL
            SELECT r.start_time
            FROM (
                SELECT pending.start_time
                FROM requests AS pending
                WHERE pending.mentor_id = m.id AND pending.status = 'pending'
                -- Otherwise a plan may read the pending requests of all mentors in this time.
                OFFSET 0
            ) AS r
            WHERE r.start_time > now()
        ) AS s
        WHERE
            s.start_time BETWEEN from_time - interval '192 hours' AND to_time + interval '192 hours'
        GROUP BY 1
        HAVING count(*) >= most
    ) AS p
$$;

CREATE FUNCTION public.mentor_hours(m public.mentors, from_time timestamp with time zone, to_time timestamp with time zone) RETURNS TABLE(hours tstzmultirange)
    LANGUAGE sql STABLE ROWS 1 PARALLEL SAFE
    AS $$
    SELECT coalesce(until_last_instant(range_agg(w.span)), '{}')
    FROM mentor_windows(
        m,
        (from_time AT TIME ZONE m.availability_timezone)::date,
        (to_time AT TIME ZONE m.availability_timezone)::date
    ) AS w
$$;

CREATE FUNCTION public.mentor_page(m public.mentors) RETURNS TABLE(body json)
    LANGUAGE sql STABLE ROWS 1 PARALLEL SAFE
    AS $$
    SELECT row_to_json(fields)
    FROM (
        SELECT
            m.id,
            m.user_id AS "userId",
            m.full_name AS "fullName",
            image_url(m) AS "profileImageUrl",
            m.headline,
            m.bio,
            m.expertise,
            m.languages,
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
    ) AS fields
$$;

CREATE FUNCTION public.mentor_profile(m public.mentors) RETURNS TABLE(body json)
    LANGUAGE sql STABLE ROWS 1 PARALLEL SAFE
    AS $$
    SELECT row_to_json(fields)
    FROM (
        SELECT
            m.id,
            m.user_id AS "userId",
            m.full_name AS "fullName",
            m.headline,
            m.bio,
            m.expertise,
            m.languages,
            m.location,
            image_url(m) AS "profileImageUrl",
            m.links,
            m.session_duration AS "sessionDuration",
            m.buffer_time AS "bufferTime",
            m.timezone,
            m.default_meeting_link AS "defaultMeetingLink",
            trim_scale(m.session_rate) AS "sessionRate",
            m.session_currency AS "sessionCurrency",
            m.visibility
    ) AS fields
$$;

CREATE FUNCTION public.mentor_slots(m public.mentors, from_date date, to_date date) RETURNS TABLE(start_time timestamp with time zone, end_time timestamp with time zone)
    LANGUAGE plpgsql STABLE ROWS 50 PARALLEL SAFE
    AS $$
DECLARE
    duration CONSTANT interval := make_interval(mins => m.session_duration);
    buffer CONSTANT interval := make_interval(mins => m.buffer_time);
    begins CONSTANT timestamptz := from_date::timestamp AT TIME ZONE 'UTC';
    ends CONSTANT timestamptz := (to_date + 1)::timestamp AT TIME ZONE 'UTC';

    -- Step 1: the days of the mentor's zone to look at.
    first_day date := (begins AT TIME ZONE m.availability_timezone)::date - 1;
    last_day CONSTANT date := (ends AT TIME ZONE m.availability_timezone)::date;
    w record;
    -- The window before `w`.
    before_opens timestamptz;
    before_closes timestamptz := '-infinity';
    -- The opening of the first of the windows that touch each other up to `w`.
    open_since timestamptz := '-infinity';
    next_start timestamptz;
    planned timestamptz[] := '{}';
    hours tstzrange[] := '{}';

    -- Step 2: `allowed` is when sessions may start by the policy.
    free tstzmultirange;
    allowed tstzmultirange;

    -- Step 3: `possible` is when a session can start in one stretch of free time, and `place` is
    -- the place in `planned` to look at next.
    possible tstzrange;
    place integer := 1;
    last_minute timestamptz;
    slots timestamptz[] := '{}';
BEGIN
    -- STEP 1. Find the planned starts. Those of joined windows are counted from the opening of the
    -- first one. If windows can be joined at midnight, that may be days before the first date. By
    -- rule 3, it is enough to go back to the Monday of the week before.
    IF EXISTS (
        SELECT
        FROM availability_windows AS a
        WHERE a.mentor_id = m.id AND a.end_time = '24:00'
    ) OR EXISTS (
        SELECT
        FROM availability_overrides AS o
        WHERE o.mentor_id = m.id AND '24:00' = ANY (o.end_times)
    ) THEN
        first_day := date_trunc('week', from_date - interval '8 days')::date - 1;
    END IF;

    FOR w IN
        SELECT
            s.day,
            s.from_midnight,
            lower(s.span) AS opens,
            upper(s.span) AS closes
        FROM mentor_windows(m, first_day, last_day) AS s
        ORDER BY lower(s.span)
    LOOP
        IF w.opens <> before_closes THEN
            -- The two windows do not touch.
            hours := hours || tstzrange(open_since, before_closes);
            open_since := w.opens;
            next_start := w.opens;
        ELSIF (
            -- Rule 2.
            w.from_midnight
            OR w.closes - w.opens < duration
            OR before_closes - before_opens < duration
        ) AND NOT (
            -- Rule 3.
            w.from_midnight
            AND extract(ISODOW FROM w.day) = 1
            AND open_since <= day_start(w.day - 7, m.availability_timezone)
        ) THEN
            -- This session starts in the window before. If it is too long for both windows together,
            -- step 3 leaves it out.
            IF next_start < w.opens THEN
                planned := planned || next_start;
                next_start := next_start + duration + buffer;
            END IF;
            -- The session before has ended by the opening, and only its buffer goes on.
            IF next_start <= w.opens + buffer THEN
                next_start := w.opens;
            END IF;
        ELSE
            -- The two windows touch, but are not joined.
            next_start := w.opens;
        END IF;
        -- Rule 1.
        WHILE next_start <= w.closes - duration LOOP
            planned := planned || next_start;
            next_start := next_start + duration + buffer;
        END LOOP;
        before_opens := w.opens;
        before_closes := w.closes;
    END LOOP;
    hours := hours || tstzrange(open_since, before_closes);

    -- STEP 2. Ask what is free. A day more on each side: free time may go on across midnight.
    SELECT
        c.free,
        c.starts
    INTO free, allowed
    FROM mentor_free_time(
        m,
        until_last_instant(tstzmultirange(VARIADIC hours)),
        begins - interval '1 day',
        ends + interval '1 day'
    ) AS c;

    -- STEP 3. Find the slots of each stretch of free time. The stretches and the planned starts are
    -- in the order of time, so one pass through both is enough.
    FOR possible IN
        SELECT unnest(
            allowed * tstzmultirange(tstzrange(lower(f.stretch), upper(f.stretch) - duration, '[]'))
        )
        FROM unnest(free) AS f (stretch)
        WHERE upper(f.stretch) - lower(f.stretch) >= duration
    LOOP
        WHILE planned[place] < lower(possible) LOOP
            place := place + 1;
        END LOOP;
        IF planned[place] <@ possible THEN
            WHILE planned[place] <@ possible LOOP
                slots := slots || planned[place];
                place := place + 1;
            END LOOP;
        ELSE
            last_minute := date_trunc('minute', upper(possible) - CASE
                WHEN upper_inc(possible) THEN interval '0' ELSE interval '1 microsecond'
            END);
            -- A part of less than a minute may contain no whole minute.
            IF last_minute <@ possible THEN
                slots := slots || last_minute;
            END IF;
        END IF;
    END LOOP;

    RETURN QUERY
    SELECT
        s.slot,
        s.slot + duration
    FROM unnest(slots) AS s (slot)
    WHERE s.slot >= begins AND s.slot < ends;
END
$$;

CREATE FUNCTION public.mentor_windows(m public.mentors, first_day date, last_day date) RETURNS TABLE(day date, span tstzrange, from_midnight boolean)
    LANGUAGE sql STABLE ROWS 100 PARALLEL SAFE
    AS $$
    SELECT
        d.day,
        unnest(CASE
            WHEN d.is_regular THEN tstzmultirange(
                tstzrange(d.midnight + w.start_time, d.midnight + w.end_time)
            )
            ELSE window_on_changed_day(
                d.day, m.availability_timezone, w.start_time::interval, w.end_time::interval
            )
        END),
        w.start_time = '00:00'
    FROM (
        SELECT
            s.day::date AS day,
            s.day AT TIME ZONE m.availability_timezone AS midnight,
            m.availability_timezone = 'UTC'
            OR (s.day + interval '36 hours') AT TIME ZONE m.availability_timezone
            - (s.day - interval '12 hours') AT TIME ZONE m.availability_timezone
            = interval '48 hours' AS is_regular,
            CASE WHEN o.day IS NULL THEN extract(ISODOW FROM s.day)::integer - 1 END AS day_of_week,
            o.start_times,
            o.end_times
        FROM generate_series(
            first_day::timestamp, last_day::timestamp, interval '1 day'
        ) AS s (day)
        LEFT JOIN availability_overrides AS o ON o.mentor_id = m.id AND o.day = s.day
        -- Otherwise AT TIME ZONE is computed for each window.
        OFFSET 0
    ) AS d
    CROSS JOIN LATERAL (
        SELECT
            a.start_time,
            a.end_time
        FROM availability_windows AS a
        WHERE a.mentor_id = m.id AND a.day_of_week = d.day_of_week
        UNION ALL
        SELECT unnest(d.start_times), unnest(d.end_times)
    ) AS w
$$;

CREATE FUNCTION public.mentors_available(filters jsonb, from_time timestamp with time zone, to_time timestamp with time zone, wanted integer, sample_size integer DEFAULT 400) RETURNS TABLE(id uuid, first_start timestamp with time zone, slots json)
    LANGUAGE plpgsql STABLE ROWS 20 PARALLEL SAFE
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    AS $$
DECLARE
    -- After so many checks, the mentors that were found are the result.
    max_checked CONSTANT integer := 1000;
    -- So many are checked at once, or more if the page needs more.
    min_batch CONSTANT integer := 5;
    -- Slots start on whole minutes.
    begins CONSTANT timestamptz := date_trunc(
        'minute', greatest(from_time, now()) + interval '59.999999 seconds'
    );
    -- A week at most: the minutes of mentor_starts come every week.
    minutes CONSTANT integer := least(10080, extract(EPOCH FROM to_time - begins) / 60)::integer;
    passing CONSTANT varbit := search_filter(filters);
    candidates record;
    -- The places of the next candidate to check and of the last one that is checked with it.
    place integer;
    batch_end integer;
    -- Mentors who are not checked yet cannot be free before this time.
    known_until timestamptz;
    -- How many mentors the page still needs.
    missing integer;
    checked uuid[] := '{}';
    -- The checked mentors who are free: when they could be, when they are, and their slots.
    found uuid[] := '{}';
    found_times timestamptz[] := '{}';
    found_starts timestamptz[] := '{}';
    found_slots json[] := '{}';
BEGIN
    <<samples>>
    WHILE minutes > 0 LOOP
        -- Step 3 of the list at the top of this file.
        candidates := availability_candidates(
            passing, begins, minutes, wanted, sample_size, checked
        );
        place := 1;
        -- Step 4.
        LOOP
            known_until := coalesce(candidates.times[place], candidates.bound);
            -- A mentor who is free exactly at known_until counts only if this was also the time of
            -- the candidate. Candidates of one time are in the order of the list, so the ones that
            -- are not checked yet come later on the page.
            SELECT wanted - count(*) INTO missing
            FROM unnest(found_starts, found_times) AS f (start_time, candidate_time)
            WHERE
                f.start_time < known_until
                OR f.start_time = known_until AND f.candidate_time = known_until;
            EXIT samples WHEN missing <= 0 OR cardinality(checked) >= max_checked;
            EXIT WHEN candidates.times[place] IS NULL;

            batch_end := place + greatest(missing, min_batch) - 1;
            SELECT
                found || coalesce(array_agg(c.id ORDER BY c.place), '{}'),
                found_times || coalesce(array_agg(c.candidate_time ORDER BY c.place), '{}'),
                found_starts || coalesce(array_agg(free.first_start ORDER BY c.place), '{}'),
                found_slots || coalesce(array_agg(free.slots ORDER BY c.place), '{}')
            INTO found, found_times, found_starts, found_slots
            FROM unnest(
                candidates.ids[place:batch_end], candidates.times[place:batch_end]
            ) WITH ORDINALITY AS c (id, candidate_time, place)
            INNER JOIN mentors AS m ON m.id = c.id
            CROSS JOIN LATERAL first_slots(m, begins, to_time) AS free
            WHERE free.first_start IS NOT NULL;
            checked := checked || candidates.ids[place:batch_end];
            place := batch_end + 1;
        END LOOP;
        -- Step 5.
        EXIT WHEN candidates.is_all;
        sample_size := 10 * sample_size;
    END LOOP;

    RETURN QUERY
    SELECT
        m.id,
        f.start_time,
        f.slots
    FROM unnest(found, found_starts, found_slots) AS f (id, start_time, slots)
    INNER JOIN mentors AS m ON m.id = f.id
    ORDER BY
        f.start_time ASC,
        m.rating DESC NULLS LAST,
        m.review_count DESC,
        m.total_sessions DESC,
        m.id ASC
    LIMIT wanted;

    IF EXISTS (
        SELECT
        FROM mentors AS m
        WHERE
            m.id = ANY (checked)
            AND num_nonnulls(m.max_sessions_per_day, m.max_sessions_per_week) > 0
    ) THEN
        RETURN QUERY VALUES (NULL::uuid, NULL::timestamptz, NULL::json);
    END IF;
END
$$;

CREATE FUNCTION public.mentors_compute_starts() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM compute_mentor_starts(ARRAY[NEW.id]);
    RETURN NULL;
END
$$;

CREATE FUNCTION public.mentors_index() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    before mentors[];
    after mentors[];
    fields text[];
    words text[];
    numbers integer[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT array_agg(ROW(n.*)::mentors) INTO after FROM new_mentors AS n;
    ELSIF TG_OP = 'DELETE' THEN
        SELECT array_agg(ROW(o.*)::mentors) INTO before FROM old_mentors AS o;
    ELSE
        SELECT array_agg(ROW(o.*)::mentors), array_agg(ROW(n.*)::mentors)
        INTO before, after
        FROM old_mentors AS o
        INNER JOIN new_mentors AS n ON n.number = o.number
        WHERE
            (
                o.full_name, o.expertise, o.headline, o.bio, o.visibility, o.languages,
                o.session_rate, o.session_currency, o.session_duration, o.rating
            ) IS DISTINCT FROM (
                n.full_name, n.expertise, n.headline, n.bio, n.visibility, n.languages,
                n.session_rate, n.session_currency, n.session_duration, n.rating
            );
    END IF;
    -- Completed sessions change a mentor's row, but not its words.
    IF before IS NULL AND after IS NULL THEN
        RETURN NULL;
    END IF;

    -- A word that a profile has both before and after stands here twice, and has not changed.
    SELECT
        array_agg(turned.field),
        array_agg(turned.word),
        array_agg(turned.number)
    INTO fields, words, numbers
    FROM (
        SELECT
            t.field,
            t.word,
            m.number
        FROM unnest(before || after) AS m
        CROSS JOIN LATERAL profile_terms(m) AS t
        WHERE m.visibility = 'public'
        GROUP BY t.field, t.word, m.number
        HAVING count(*) = 1
    ) AS turned;
    IF words IS NOT NULL THEN
        PERFORM search_add_words(fields, words);
        PERFORM search_flip(fields, words, numbers);
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.mentors_move_time_off() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE time_off
    SET start_date = start_date
    WHERE mentor_id = NEW.id AND start_date IS NOT NULL;
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

CREATE FUNCTION public.merge_links(links jsonb, patch jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT jsonb_strip_nulls(links || patch) $$;

CREATE FUNCTION public.minutes_between(start_time timestamp with time zone, end_time timestamp with time zone) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT (extract(EPOCH FROM end_time - start_time) / 60)::integer $$;

CREATE FUNCTION public.occupied(start_time timestamp with time zone, end_time timestamp with time zone, buffer_time integer) RETURNS tstzrange
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT tstzrange(start_time, end_time + make_interval(mins => buffer_time)) $$;

CREATE TABLE public.availability_overrides (
    mentor_id uuid NOT NULL,
    day date NOT NULL,
    start_times time without time zone[] NOT NULL,
    end_times time without time zone[] NOT NULL,
    CONSTRAINT availability_overrides_windows CHECK (public.are_windows(start_times, end_times))
);

CREATE FUNCTION public.override_json(o public.availability_overrides) RETURNS TABLE(body json)
    LANGUAGE sql STABLE ROWS 1 PARALLEL SAFE
    AS $$
    SELECT json_build_object(
        'date', o.day,
        'slots', coalesce((
            SELECT
                json_agg(json_build_object(
                    'startTime', to_char(w.start_time, 'HH24:MI'),
                    'endTime', to_char(w.end_time, 'HH24:MI')
                ))
            FROM unnest(o.start_times, o.end_times) AS w (start_time, end_time)
        ), '[]')
    )
$$;

CREATE FUNCTION public.party(m public.mentors) RETURNS json
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT json_build_object(
        'id', m.id, 'userId', m.user_id, 'name', m.full_name, 'avatar', image_url(m)
    )
$$;

CREATE TABLE public.users (
    id text NOT NULL,
    name text,
    email text,
    picture text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    claims_issued_at bigint,
    CONSTRAINT users_id_length CHECK (((char_length(id) >= 1) AND (char_length(id) <= 255)))
);

CREATE FUNCTION public.party(u public.users) RETURNS json
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT json_build_object('id', u.id, 'name', u.name, 'avatar', u.picture) $$;

CREATE FUNCTION public.policy_json(m public.mentors) RETURNS json
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT json_build_object(
        'minimumNoticeMinutes', m.minimum_notice_minutes,
        'horizonDays', m.horizon_days,
        'maxSessionsPerDay', m.max_sessions_per_day,
        'maxSessionsPerWeek', m.max_sessions_per_week,
        'cancelCutoffHours', m.cancel_cutoff_hours,
        'acceptingRequests', m.accepting_requests
    )
$$;

CREATE FUNCTION public.possible_starts(m public.mentors) RETURNS TABLE(mentor_id uuid, starts smallint[])
    LANGUAGE sql STABLE ROWS 1 PARALLEL SAFE
    AS $$
    WITH windows AS MATERIALIZED (
        SELECT
            w.day_of_week * 1440 + extract(EPOCH FROM w.start_time)::integer / 60 AS opens,
            w.day_of_week * 1440 + extract(EPOCH FROM w.end_time)::integer / 60 AS closes
        FROM availability_windows AS w
        WHERE w.mentor_id = m.id
    ),

    -- By how many minutes the mentor's clock is ahead of UTC in the course of a year.
    clock AS MATERIALIZED (
        SELECT 0 AS ahead
        WHERE m.availability_timezone = 'UTC'
        UNION
        SELECT
            (extract(EPOCH FROM
                s.day AT TIME ZONE m.availability_timezone - s.day AT TIME ZONE 'UTC'
            ) / 60)::integer
        FROM generate_series(now(), now() + interval '1 year', interval '1 week') AS s (day)
        WHERE m.availability_timezone <> 'UTC'
    ),

    changes AS MATERIALIZED (
        SELECT max(c.ahead) - min(c.ahead) AS minutes
        FROM clock AS c
    ),

    -- Windows that touch, of two weeks: one may go on from Sunday to Monday.
    stretches AS MATERIALIZED (
        SELECT
            lower(s.stretch) AS opens,
            upper(s.stretch) AS closes
        FROM (
            SELECT range_agg(int4range(w.opens + week.begins, w.closes + week.begins)) AS hours
            FROM windows AS w
            CROSS JOIN (VALUES (0), (10080)) AS week (begins)
        ) AS merged
        CROSS JOIN LATERAL unnest(merged.hours) AS s (stretch)
    ),

    -- By the mentor's clock.
    minutes AS (
        SELECT s.minute
        FROM windows AS w
        CROSS JOIN changes AS c
        INNER JOIN stretches AS t ON w.opens >= t.opens AND w.opens < t.closes
        CROSS JOIN LATERAL generate_series(
            w.opens,
            least(t.closes - m.session_duration + c.minutes, w.opens + 10079),
            m.session_duration + m.buffer_time
        ) AS s (minute)
        UNION ALL
        SELECT t.closes - m.session_duration
        FROM stretches AS t
        WHERE t.closes - t.opens >= m.session_duration
        UNION ALL
        -- A limit of sessions or the horizon may end free time at midnight.
        SELECT d.midnight - 1
        FROM stretches AS t
        CROSS JOIN generate_series(1440, 18720, 1440) AS d (midnight)
        WHERE d.midnight > t.opens AND d.midnight < t.closes
        UNION ALL
        -- In the night in which the clock is changed, a window may open at the change.
        SELECT s.minute
        FROM windows AS w
        CROSS JOIN changes AS c
        CROSS JOIN LATERAL generate_series(
            w.opens - w.opens % 30, least(w.closes, w.opens + 300), 30
        ) AS s (minute)
        WHERE c.minutes > 0 AND w.opens % 1440 < 240
    )

    SELECT
        m.id,
        ARRAY(
            SELECT DISTINCT ((s.minute - c.ahead + 20160) % 10080)::smallint AS minute
            FROM minutes AS s
            CROSS JOIN clock AS c
            ORDER BY minute
        )
    WHERE EXISTS (SELECT FROM windows)
$$;

CREATE FUNCTION public.profile_terms(m public.mentors) RETURNS TABLE(field text, word text)
    LANGUAGE sql STABLE ROWS 60 PARALLEL SAFE
    AS $$
    SELECT * FROM search_terms(m)
    UNION ALL
    SELECT * FROM filter_terms(m)
$$;

CREATE FUNCTION public.record_mentor(mentor uuid, stale_responses text) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    recorded text := current_setting('mentorapi.recorded', true);
BEGIN
    IF recorded IN (mentor || stale_responses, mentor || 'lists') THEN
        RETURN;
    END IF;
    INSERT INTO events (type, object_id, mentor_id, stale)
    VALUES ('mentor.updated', mentor, mentor, stale_responses);
    PERFORM set_config('mentorapi.recorded', mentor || stale_responses, true);
END
$$;

CREATE FUNCTION public.record_mentor_update() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_TABLE_NAME = 'mentors' THEN
        PERFORM record_mentor(coalesce(NEW.id, OLD.id), TG_ARGV[0]);
    ELSE
        PERFORM record_mentor(coalesce(NEW.mentor_id, OLD.mentor_id), TG_ARGV[0]);
        IF OLD.mentor_id <> NEW.mentor_id THEN
            PERFORM record_mentor(OLD.mentor_id, TG_ARGV[0]);
        END IF;
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.record_requests() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    actor record := current_actor();
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO events (
            type, object_id, mentor_id, mentee_id, status, is_history, source, user_id, reason
        )
        SELECT
            'request.created',
            r.id,
            r.mentor_id,
            r.mentee_id,
            r.status,
            TRUE,
            actor.source,
            actor.user_id,
            r.rejection_reason
        FROM new_rows AS r;
    ELSE
        INSERT INTO events (
            type, object_id, mentor_id, mentee_id, old_status, status, is_history, source, user_id,
            reason, created_at
        )
        SELECT
            'request.' || CASE
                WHEN r.expired THEN 'expired' WHEN r.status = 'pending' THEN 'created'
                ELSE r.status
            END,
            r.id,
            r.mentor_id,
            r.mentee_id,
            o.status,
            r.status,
            TRUE,
            CASE WHEN r.expired THEN 'sweep' ELSE actor.source END,
            CASE WHEN NOT r.expired THEN actor.user_id END,
            r.rejection_reason,
            r.updated_at
        FROM new_rows AS r
        FULL JOIN old_rows AS o ON o.id = r.id
        WHERE r.status IS DISTINCT FROM o.status;
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.record_review() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    v reviews := coalesce(NEW, OLD);
BEGIN
    INSERT INTO events (type, object_id, mentor_id, mentee_id, stale)
    VALUES (
        CASE TG_OP WHEN 'INSERT' THEN 'review.created' ELSE 'review.removed' END,
        v.id,
        v.mentor_id,
        v.mentee_id,
        'lists'
    );
    RETURN NULL;
END
$$;

CREATE FUNCTION public.record_sessions() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    actor record := current_actor();
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO events (
            type, object_id, mentor_id, mentee_id, status, start_time, end_time, is_history, source,
            user_id, reason, stale
        )
        SELECT
            session_event(NULL, b.status),
            b.id,
            b.mentor_id,
            b.mentee_id,
            b.status,
            b.start_time,
            b.end_time,
            TRUE,
            actor.source,
            actor.user_id,
            b.cancellation_reason,
            CASE WHEN b.status = 'completed' THEN 'lists' WHEN b.live THEN 'mentor' ELSE 'nothing' END
        FROM new_rows AS b;
    ELSE
        INSERT INTO events (
            type, object_id, mentor_id, mentee_id, old_status, status, start_time, end_time,
            is_history, source, user_id, reason, stale, created_at
        )
        SELECT
            session_event(o.status, b.status),
            b.id,
            b.mentor_id,
            b.mentee_id,
            o.status,
            b.status,
            b.start_time,
            b.end_time,
            TRUE,
            actor.source,
            actor.user_id,
            b.cancellation_reason,
            CASE
                -- The sessions of a mentor are counted on the cards.
                WHEN (b.status = 'completed') <> (o.status = 'completed') THEN 'lists'
                WHEN (b.live, b.start_time, b.end_time) <> (o.live, o.start_time, o.end_time)
                    THEN 'mentor'
                ELSE 'nothing'
            END,
            b.updated_at
        FROM new_rows AS b
        FULL JOIN old_rows AS o ON o.id = b.id
        WHERE
            (b.status, b.start_time, b.end_time)
            IS DISTINCT FROM (o.status, o.start_time, o.end_time);
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.record_user() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO events (type, user_id, stale)
    VALUES ('user.updated', coalesce(NEW.id, OLD.id), 'user');
    IF TG_OP = 'UPDATE' AND (OLD.name, OLD.picture) IS DISTINCT FROM (NEW.name, NEW.picture) THEN
        PERFORM record_mentor(reviewed.mentor_id, 'mentor')
        FROM (
            SELECT DISTINCT v.mentor_id
            FROM reviews AS v
            WHERE v.mentee_id = NEW.id
        ) AS reviewed;
    END IF;
    RETURN NULL;
END
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
    session_rate numeric(12,2) NOT NULL,
    session_currency text NOT NULL,
    expired boolean DEFAULT false NOT NULL,
    CONSTRAINT requests_accepted_has_booking CHECK (((status = 'accepted'::text) = (booking_id IS NOT NULL))),
    CONSTRAINT requests_expired_is_rejected CHECK (((NOT expired) OR (status = 'rejected'::text))),
    CONSTRAINT requests_length CHECK ((((end_time - start_time) >= '00:15:00'::interval) AND ((end_time - start_time) <= '03:00:00'::interval))),
    CONSTRAINT requests_reason_only_when_rejected CHECK (((status = 'rejected'::text) OR (rejection_reason IS NULL))),
    CONSTRAINT requests_session_currency CHECK ((session_currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT requests_session_rate CHECK ((session_rate >= (0)::numeric)),
    CONSTRAINT requests_status CHECK ((status = ANY (ARRAY['pending'::text, 'accepted'::text, 'rejected'::text, 'cancelled'::text])))
);

CREATE FUNCTION public.request_json(r public.requests, b public.bookings, start_time timestamp with time zone, end_time timestamp with time zone) RETURNS TABLE(body json)
    LANGUAGE sql STABLE ROWS 1 PARALLEL SAFE
    AS $$
    SELECT row_to_json(fields)
    FROM (
        SELECT
            r.id,
            r.mentor_id AS "mentorId",
            r.mentee_id AS "menteeId",
            r.topic,
            r.message,
            to_char(start_time AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS "scheduledDate",
            to_char(start_time AT TIME ZONE 'UTC', 'HH24:MI') AS "scheduledTime",
            minutes_between(start_time, end_time) AS duration,
            -- While it is pending, the place is where the session would be if it were accepted now.
            CASE
                WHEN request_status(r.status, r.start_time) = 'pending'
                    THEN coalesce(r.location, m.default_meeting_link)
                ELSE r.location
            END AS location,
            iso(start_time) AS "startTime",
            iso(end_time) AS "endTime",
            request_status(r.status, r.start_time) AS status,
            CASE
                WHEN request_status(r.status, r.start_time) <> r.status THEN expiry_reason()
                ELSE r.rejection_reason
            END AS "rejectionReason",
            trim_scale(r.session_rate) AS "sessionRate",
            r.session_currency AS "sessionCurrency",
            r.booking_id AS "bookingId",
            CASE
                WHEN b.id IS NOT NULL THEN json_build_object(
                    'id', b.id,
                    'status', b.status,
                    'startTime', iso(b.start_time),
                    'endTime', iso(b.end_time)
                )
            END AS booking,
            party(m) AS mentor,
            party(u) AS mentee,
            iso(r.created_at) AS "createdAt",
            iso(r.updated_at) AS "updatedAt"
        FROM mentors AS m
        CROSS JOIN users AS u
        WHERE m.id = r.mentor_id AND u.id = r.mentee_id
    ) AS fields
$$;

CREATE FUNCTION public.request_status(status text, start_time timestamp with time zone) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT CASE WHEN status = 'pending' AND start_time <= now() THEN 'rejected' ELSE status END
$$;

CREATE FUNCTION public.requests_take_rate() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    SELECT
        coalesce(NEW.session_rate, m.session_rate),
        coalesce(NEW.session_currency, m.session_currency)
    INTO NEW.session_rate, NEW.session_currency
    FROM mentors AS m
    WHERE m.id = NEW.mentor_id;
    RETURN NEW;
END
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

CREATE FUNCTION public.review_json(v public.reviews) RETURNS TABLE(body json, own json)
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

CREATE FUNCTION public.search_add_words(fields text[], words text[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO search_vocabulary (word, keys)
    SELECT DISTINCT
        w.word,
        search_keys(w.word)
    FROM unnest(fields, words) AS w (field, word)
    INNER JOIN search_texts() AS f ON f.field = w.field
    WHERE
        strpos(w.word, ' ') = 0
        AND NOT EXISTS (
            SELECT
            FROM search_vocabulary AS v
            WHERE v.word = w.word
        );
END
$$;

CREATE FUNCTION public.search_bit(number integer) RETURNS bit
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT set_bit(search_no_mentors(), number % search_block_size(), 1) $$;

CREATE FUNCTION public.search_block(number integer) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT number / search_block_size() $$;

CREATE FUNCTION public.search_block_size() RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT 16384 $$;

CREATE FUNCTION public.search_blocks() RETURNS TABLE(block integer)
    LANGUAGE sql STABLE ROWS 10 PARALLEL SAFE
    AS $$
    SELECT generate_series(0, search_block((SELECT coalesce(max(m.number), 0) FROM mentors AS m)))
$$;

CREATE FUNCTION public.search_clean(after text, most integer) RETURNS TABLE(deleted bigint, last text)
    LANGUAGE plpgsql
    SET lock_timeout TO '200ms'
    AS $$
DECLARE
    unused text[];
BEGIN
    deleted := 0;
    SELECT max(v.word), array_agg(v.word) FILTER (WHERE NOT v.used)
    INTO last, unused
    FROM (
        SELECT
            word,
            search_uses(word) AS used
        FROM search_vocabulary
        WHERE word > after
        ORDER BY word
        LIMIT most
    ) AS v;

    IF unused IS NOT NULL THEN
        LOCK TABLE search_vocabulary IN SHARE ROW EXCLUSIVE MODE;
        DELETE FROM search_vocabulary AS v
        WHERE v.word = ANY (unused) AND NOT search_uses(v.word);
        GET DIAGNOSTICS deleted = ROW_COUNT;
    END IF;
    RETURN NEXT;
EXCEPTION
    WHEN lock_not_available THEN
        deleted := 0;
        RETURN NEXT;
END
$$;

CREATE FUNCTION public.search_filter(filters jsonb) RETURNS bit varying
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    WITH asked AS MATERIALIZED (
        SELECT
            row_number() OVER () AS place,
            a.field,
            concat(a.key, E'\n', a.least) AS first_word,
            a.key || E'\n' || coalesce(a.most, U&'\+10FFFF') AS last_word
        FROM (
            SELECT 'expertise' AS field, expertise_key(e.value) AS key, NULL AS least, NULL AS most
            FROM jsonb_array_elements_text(filters -> 'expertise') AS e
            UNION ALL
            SELECT 'language', filters ->> 'language', NULL, NULL
            UNION ALL
            SELECT
                'currency',
                filters ->> 'currency',
                NULL,
                lpad((filters ->> 'maxRate')::numeric(12, 2)::text, 13, '0')
            UNION ALL
            SELECT 'duration', filters ->> 'duration', NULL, NULL
            UNION ALL
            -- Ratings have one decimal.
            SELECT
                'rating',
                '',
                (ceil(10 * (filters ->> 'minRating')::numeric) / 10)::numeric(2, 1)::text,
                NULL
            WHERE (filters ->> 'minRating')::numeric > 0
        ) AS a
        WHERE a.key IS NOT NULL
    ),

    passing AS (
        SELECT
            b.block,
            -- null without filters
            bit_and(coalesce(p.mentors, search_no_mentors())) AS mentors
        FROM search_blocks() AS b
        CROSS JOIN asked AS a
        CROSS JOIN LATERAL (
            SELECT bit_or(mentors) AS mentors
            FROM search_bitmaps
            WHERE field = a.field AND word BETWEEN a.first_word AND a.last_word AND block = b.block
        ) AS p
        GROUP BY b.block
    )

    SELECT bit_concat(passing.mentors ORDER BY passing.block)
    FROM passing
$$;

CREATE FUNCTION public.search_flip(fields text[], words text[], numbers integer[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    locked search_postings[];
BEGIN
    -- 1. Lock and read the rows of these bitmaps. The lock may find a row that was committed during
    -- this statement. Only the next statement sees it, so the changes are made there.
    SELECT array_agg(l.posting) INTO locked
    FROM (
        SELECT p AS posting
        FROM (
            SELECT DISTINCT
                t.field,
                t.word,
                search_block(t.number) AS block
            FROM unnest(fields, words, numbers) AS t (field, word, number)
        ) AS b
        INNER JOIN search_postings AS p ON (p.field, p.word, p.block) = (b.field, b.word, b.block)
        FOR UPDATE OF p SKIP LOCKED
    ) AS l;

    -- 2. The bits to flip in each bitmap.
    WITH flips AS (
        SELECT
            t.field,
            t.word,
            search_block(t.number) AS block,
            bit_or(search_bit(t.number)) AS mentors
        FROM unnest(fields, words, numbers) AS t (field, word, number)
        GROUP BY t.field, t.word, search_block(t.number)
    ),

    -- 3. The row that a bitmap has afterwards. `id` is the locked row to change, null if it is new.
    merged AS (
        SELECT
            r.field,
            r.word,
            r.block,
            min(r.id) AS id,
            bit_xor(r.mentors) AS mentors,
            bit_xor(r.mentors) = search_no_mentors() AS is_empty
        FROM (
            SELECT
                NULL::bigint AS id,
                f.field,
                f.word,
                f.block,
                f.mentors
            FROM flips AS f
            UNION ALL
            SELECT
                l.id,
                l.field,
                l.word,
                l.block,
                l.mentors
            FROM unnest(locked) AS l
        ) AS r
        GROUP BY r.field, r.word, r.block
    ),

    -- 4. Change it, delete the others, or insert it. No row is kept without a bit.
    changed AS (
        UPDATE search_postings AS p
        SET mentors = m.mentors
        FROM merged AS m
        WHERE
            (p.field, p.word, p.block, p.id) = (m.field, m.word, m.block, m.id)
            AND NOT m.is_empty
    ),

    deleted AS (
        DELETE FROM search_postings AS p
        USING unnest(locked) AS l
        INNER JOIN merged AS m ON (m.field, m.word, m.block) = (l.field, l.word, l.block)
        WHERE
            (p.field, p.word, p.block, p.id) = (l.field, l.word, l.block, l.id)
            AND (l.id <> m.id OR m.is_empty)
    )

    INSERT INTO search_postings (field, word, block, mentors)
    SELECT
        m.field,
        m.word,
        m.block,
        m.mentors
    FROM merged AS m
    WHERE m.id IS NULL;
END
$$;

CREATE FUNCTION public.search_keys(word text) RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT
        array_agg(substr(word, i, 2)) || array_agg(substr(word, i, 3))
        || array_agg(overlay(word PLACING ' ' FROM i FOR 1)) FILTER (WHERE char_length(word) >= 4)
    FROM generate_series(1, char_length(word)) AS i
$$;

CREATE FUNCTION public.search_link(words text, link text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT regexp_replace(words, '(?<=[[:alnum:]]{2})[-_.](?=[[:alnum:]]{2})', link, 'g')
$$;

CREATE FUNCTION public.search_matches(q text, filters jsonb) RETURNS TABLE(block integer, mentors bit)
    LANGUAGE sql STABLE ROWS 10 PARALLEL SAFE
    AS $$
    WITH filter AS MATERIALIZED (SELECT search_filter(filters) AS mentors)

    SELECT
        b.block,
        coalesce(
            substring(t.mentors FROM b.block * search_block_size() + 1 FOR search_block_size()),
            ~search_no_mentors()
        )
    FROM filter
    CROSS JOIN LATERAL search_tiers(search_query(q), filter.mentors) AS t
    CROSS JOIN search_blocks() AS b
    WHERE t.tier = 0
$$;

CREATE FUNCTION public.search_meaning(asked text) RETURNS TABLE(word text, kind integer)
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    WITH a AS MATERIALIZED (
        SELECT
            -- Any word that contains `asked` has these keys: its parts of three letters, or itself.
            array_agg(substr(asked, i, 3))
            FILTER (WHERE i <= greatest(1, char_length(asked) - 2)) AS parts,
            -- One letter is wrong, or one is missing.
            array_agg(overlay(asked PLACING ' ' FROM i FOR 1))
            || array_agg(overlay(asked PLACING ' ' FROM i FOR 0))
            || (asked || ' ') AS blanked,
            -- One letter is too many, or two are swapped.
            array_agg(overlay(asked PLACING '' FROM i FOR 1))
            || array_agg(overlay(asked PLACING reverse(substr(asked, i, 2)) FROM i FOR 2))
            -- The profile's word has ß.
            || array_agg(overlay(eszett PLACING reverse(substr(eszett, i, 2)) FROM i FOR 2))
            AS corrected
        FROM replace(asked, 'ss', 'ß') AS eszett
        CROSS JOIN generate_series(1, char_length(asked)) AS i
        WHERE char_length(asked) > 1
    )

    (SELECT
        v.word,
        k.kind
    FROM a
    INNER JOIN search_vocabulary AS v
        ON
            (v.keys @> a.parts AND strpos(v.word, asked) > 0)
            OR v.keys && a.blanked
            OR (v.word = ANY (a.corrected) AND char_length(v.word) >= 4)
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN v.word = asked THEN 4
            WHEN starts_with(v.word, asked) THEN 3
            WHEN strpos(v.word, asked) > 0 THEN 2
            ELSE 1
        END AS kind
    ) AS k
    ORDER BY k.kind DESC, char_length(v.word) ASC, v.word ASC
    LIMIT 5000)
    UNION ALL
    SELECT
        l.word,
        l.kind
    FROM (VALUES (asked, 4), (asked || ' ', 3), (' ' || asked || ' ', 2)) AS l (word, kind)
    WHERE char_length(asked) = 1
$$;

CREATE FUNCTION public.search_mentors(q text, filters jsonb, sort text, wanted bigint, skipped bigint) RETURNS TABLE(total bigint, ids uuid[])
    LANGUAGE plpgsql STABLE ROWS 1 PARALLEL SAFE
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
DECLARE
    words CONSTANT text[] := search_query(q);
    apart CONSTANT text := search_link(array_to_string(words, ' '), ' ');
    -- Only several words are a phrase.
    phrase CONSTANT text := CASE WHEN strpos(apart, ' ') > 0 THEN search_unlink(apart) END;
    -- From the best tier down. Each one includes the matches of the tiers before it.
    tiers varbit[];
    reached varbit;
    in_tier varbit;
    above varbit;
    matches bigint;
BEGIN
    SELECT array_agg(t.mentors ORDER BY t.tier DESC)
    INTO tiers
    FROM search_tiers(words, search_filter(filters)) AS t
    WHERE sort = 'best' OR t.tier = 0;

    ids := '{}';
    FOREACH reached IN ARRAY tiers LOOP
        in_tier := coalesce(reached & ~above, reached);
        above := reached;
        matches := coalesce(bit_count(in_tier), (SELECT c.mentors FROM public_mentor_count AS c));
        IF matches > skipped AND cardinality(ids) < wanted THEN
            ids := ids || search_page(
                in_tier,
                sort,
                CASE WHEN sort = 'best' THEN phrase END,
                wanted - cardinality(ids),
                skipped
            );
        END IF;
        total := coalesce(total, 0) + matches;
        skipped := greatest(0, skipped - matches);
    END LOOP;
    RETURN NEXT;
END
$$;

CREATE FUNCTION public.search_no_mentors() RETURNS bit
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT repeat('0', search_block_size())::varbit $$;

CREATE FUNCTION public.search_numbers(mentors bit varying) RETURNS TABLE(number integer)
    LANGUAGE sql IMMUTABLE ROWS 100 PARALLEL SAFE
    AS $$
    SELECT (sum(length(zeros.run) + 1) OVER (ORDER BY zeros.place) - 1)::integer
    FROM string_to_table(mentors::text, '1') WITH ORDINALITY AS zeros (run, place)
    WHERE zeros.place <= bit_count(mentors)
$$;

CREATE FUNCTION public.search_page(chosen bit varying, sort text, phrase text, wanted bigint, skipped bigint) RETURNS uuid[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    AS $_$
DECLARE
    matches CONSTANT bigint := bit_count(chosen);
    -- Sorting one match takes as long as walking past twenty mentors of the list.
    few boolean := 20 * matches * matches < (wanted + skipped) * length(chosen);
    sorting text := 'm.rating DESC NULLS LAST, m.review_count DESC, m.total_sessions DESC, m.id';
    source text;
    ids uuid[];
BEGIN
    sorting := CASE sort
        WHEN 'rate' THEN 'm.session_rate, '
        WHEN 'newest' THEN 'm.created_at DESC, '
        ELSE ''
    END || sorting;
    -- Not decided by `few`, which differs from page to page: all pages need one order.
    IF phrase IS NOT NULL AND matches <= 200 THEN
        few := TRUE;
        sorting := 'search_phrase(m, $2) DESC, ' || sorting;
    END IF;
    IF few THEN
        source := 'm.number = ANY (ARRAY(SELECT n.number FROM search_numbers($1) AS n))';
    ELSE
        source := 'm.visibility = ''public''';
        IF chosen IS NOT NULL THEN
            source := source || ' AND get_bit($1, m.number) = 1';
        END IF;
    END IF;
    EXECUTE format(
        'SELECT ARRAY(SELECT m.id FROM mentors AS m WHERE %s ORDER BY %s LIMIT $3 OFFSET $4)',
        source, sorting
    ) INTO ids USING chosen, phrase, wanted, skipped;
    RETURN ids;
END
$_$;

CREATE FUNCTION public.search_parts(word text) RETURNS TABLE(part text)
    LANGUAGE sql IMMUTABLE ROWS 2 PARALLEL SAFE
    AS $$
    SELECT btrim(split.part, '-')
    FROM regexp_split_to_table(word, '[^[:alnum:]-]+') AS split (part)
    WHERE char_length(split.part) >= 2
    UNION ALL
    SELECT split.part
    FROM regexp_split_to_table(word, '[^[:alnum:]]+') AS split (part)
    WHERE char_length(split.part) >= 4
$$;

CREATE FUNCTION public.search_phrase(m public.mentors, phrase text) RETURNS integer
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT CASE
        WHEN strpos(search_unlink(fold(m.full_name)), phrase) > 0 THEN 2
        WHEN strpos(search_unlink(fold(array_to_string(m.expertise, ', '))), phrase) > 0 THEN 2
        WHEN strpos(search_unlink(fold(m.headline)), phrase) > 0 THEN 1
        ELSE 0
    END
$$;

CREATE FUNCTION public.search_query(q text) RETURNS text[]
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    WITH folded AS MATERIALIZED (SELECT fold(q) AS words),

    words AS MATERIALIZED (
        SELECT
            s.word,
            s.place,
            btrim(s.word, '.:!?¿¡''*~=-`#@•·') <> '' AS is_word
        FROM folded
        CROSS JOIN LATERAL search_split(folded.words) WITH ORDINALITY AS s (word, place)
        UNION ALL
        SELECT
            s.separator,
            1000,
            FALSE
        FROM folded
        CROSS JOIN LATERAL search_separators(folded.words) AS s
    )

    SELECT coalesce(array_agg(w.word), CASE WHEN normalize(q, NFKC) ~ '\S' THEN ARRAY[q] END)
    FROM (
        SELECT word
        FROM words
        WHERE is_word OR NOT EXISTS (SELECT FROM words WHERE is_word)
        GROUP BY word
        ORDER BY min(place)
        LIMIT 8
    ) AS w
$$;

CREATE FUNCTION public.search_rebuild() RETURNS void
    LANGUAGE sql
    AS $$
    LOCK TABLE mentors IN SHARE ROW EXCLUSIVE MODE;
    DELETE FROM search_postings;
    DELETE FROM search_vocabulary;
    INSERT INTO search_postings (field, word, block, mentors)
    SELECT
        field,
        word,
        block,
        mentors
    FROM search_postings_recounted;
    INSERT INTO search_vocabulary (word, keys)
    SELECT
        p.word,
        search_keys(p.word)
    FROM search_postings AS p
    INNER JOIN search_texts() AS f ON f.field = p.field
    WHERE strpos(p.word, ' ') = 0
    GROUP BY p.word;
$$;

CREATE FUNCTION public.search_separators(words text) RETURNS TABLE(separator text)
    LANGUAGE sql IMMUTABLE ROWS 5 PARALLEL SAFE
    AS $$
    SELECT s.separator
    FROM string_to_table('/,;|()[]{}<>"“”„«»、。・「」.:', NULL) AS s (separator)
    WHERE strpos(words, s.separator) > 0
$$;

CREATE FUNCTION public.search_split(words text) RETURNS TABLE(word text)
    LANGUAGE sql IMMUTABLE ROWS 20 PARALLEL SAFE
    AS $$
    SELECT left(coalesce(nullif(trimmed.word, ''), trimmed.piece), 200)
    FROM (
        SELECT
            split.piece,
            ltrim(rtrim(split.piece, '.:!?''*~=-`'), ':!?¿¡''*~=-`#@•·') AS word
        FROM
            regexp_split_to_table(
                words, '(?:[\s/,;|()\[\]{}<>"“”„«»、。・「」]|\.{2,}|:{2,})+'
            ) AS split (piece)
        WHERE split.piece <> ''
    ) AS trimmed
$$;

CREATE FUNCTION public.search_terms(m public.mentors) RETURNS TABLE(field text, word text)
    LANGUAGE sql STABLE ROWS 100 PARALLEL SAFE
    AS $$
    WITH texts AS MATERIALIZED (
        SELECT
            f.place,
            f.field,
            f.words,
            fold(f.words) AS folded
        FROM (
            VALUES
            (1, 'name', concat_ws(E'\n', m.full_name, array_to_string(m.expertise, E'\n'))),
            (2, 'headline', m.headline),
            (3, 'bio', m.bio)
        ) AS f (place, field, words)
    ),

    words AS MATERIALIZED (
        SELECT
            f.place,
            f.field,
            w.word,
            w.place AS word_place
        FROM texts AS f
        CROSS JOIN LATERAL search_split(f.folded) WITH ORDINALITY AS w (word, place)
    ),

    kept AS MATERIALIZED (
        SELECT
            t.field,
            t.word
        FROM (
            SELECT * FROM words
            UNION ALL
            SELECT
                w.place,
                w.field,
                p.part,
                1000 + w.word_place
            FROM words AS w
            CROSS JOIN LATERAL search_parts(w.word) AS p
            WHERE w.word ~ '[^[:alnum:]]'
            UNION ALL
            SELECT
                f.place,
                f.field,
                v.word,
                2000
            FROM texts AS f
            CROSS JOIN LATERAL search_variants(f.words, f.folded) AS v
        ) AS t
        WHERE t.word <> ''
        GROUP BY t.field, t.word
        ORDER BY min(t.place), min(t.word_place)
        LIMIT 500
    )

    SELECT * FROM kept
    UNION
    SELECT
        field,
        left(word, 1) || ' '
    FROM kept
    UNION
    SELECT
        kept.field,
        ' ' || l.letter || ' '
    FROM kept
    CROSS JOIN LATERAL string_to_table(kept.word, NULL) AS l (letter)
    UNION
    SELECT
        f.field,
        ' ' || s.separator || ' '
    FROM texts AS f
    CROSS JOIN LATERAL search_separators(f.folded) AS s
$$;

CREATE FUNCTION public.search_texts() RETURNS TABLE(field text, worth integer)
    LANGUAGE sql IMMUTABLE ROWS 3 PARALLEL SAFE
    AS $$ VALUES ('name', 2), ('headline', 1), ('bio', 0) $$;

CREATE FUNCTION public.search_tiers(words text[], passing bit varying) RETURNS TABLE(tier integer, mentors bit varying)
    LANGUAGE plpgsql STABLE ROWS 12 PARALLEL SAFE
    AS $$
DECLARE
    typed CONSTANT text := array_to_string(words, ' ');
    apart CONSTANT text := search_link(typed, ' ');
BEGIN
    IF apart <> typed THEN
        RETURN QUERY
        SELECT
            t.tier,
            (bit_or(bit_or(t.mentors)) OVER (ORDER BY t.tier DESC))::varbit
        FROM (VALUES (typed), (apart), (search_link(typed, ''))) AS reading (words)
        CROSS JOIN LATERAL search_word_tiers(
            (string_to_array(reading.words, ' '))[:8], passing
        ) AS t
        GROUP BY t.tier;
    ELSE
        RETURN QUERY
        SELECT
            t.tier,
            t.mentors
        FROM search_word_tiers(words, passing) AS t;
    END IF;
END
$$;

CREATE FUNCTION public.search_unlink(words text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT translate(words, '-_.', '   ')
$$;

CREATE FUNCTION public.search_uses(word text) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT bool_or(p.found IS NOT NULL)
    FROM search_texts() AS f
    LEFT JOIN LATERAL (
        SELECT TRUE AS found
        FROM search_bitmaps
        WHERE field = f.field AND search_bitmaps.word = search_uses.word
        LIMIT 1
    ) AS p ON TRUE
$$;

CREATE FUNCTION public.search_variants(words text, folded text) RETURNS TABLE(word text)
    LANGUAGE sql STABLE ROWS 2 PARALLEL SAFE
    AS $$
    -- unaccent() does not know U+E000, and makes ß two letters.
    SELECT replace(s.word, U&'\E000', 'ß')
    FROM search_split(fold(translate(words, 'ßẞ', U&'\E000\E000'))) AS s
    WHERE words ~ '[ßẞ]' AND strpos(s.word, U&'\E000') > 0
    UNION ALL
    SELECT left(regexp_replace(joined.words[1], '[^[:alnum:]]', '', 'g'), 200)
    FROM regexp_matches(folded, '[[:alnum:]]+(?:[-/_.][[:alnum:]]+)+', 'g') AS joined (words)
    -- Not 25 for 2.5.
    WHERE joined.words[1] ~ '[[:alpha:]]'
$$;

CREATE FUNCTION public.search_word_tiers(words text[], passing bit varying) RETURNS TABLE(tier integer, mentors bit varying)
    LANGUAGE sql STABLE ROWS 12 PARALLEL SAFE
    AS $$
    WITH found AS MATERIALIZED (
        SELECT
            asked.place,
            3 * meaning.kind + f.worth AS tier,
            p.block,
            bit_or(p.mentors) AS mentors
        FROM unnest(words) WITH ORDINALITY AS asked (word, place)
        CROSS JOIN LATERAL search_meaning(asked.word) AS meaning
        CROSS JOIN search_texts() AS f
        -- PostgreSQL expects thousands of meanings, and would read all postings.
        -- OFFSET prevents that.
        CROSS JOIN LATERAL (
            SELECT
                block,
                mentors
            FROM search_bitmaps
            WHERE field = f.field AND word = meaning.word
            OFFSET 0
        ) AS p
        GROUP BY asked.place, tier, p.block
    ),

    reached AS (
        SELECT
            asked.place,
            t.tier,
            b.block,
            coalesce(
                bit_or(found.mentors) OVER (
                    PARTITION BY asked.place, b.block ORDER BY t.tier DESC
                ),
                search_no_mentors()
            ) AS mentors
        FROM generate_subscripts(words, 1) AS asked (place)
        CROSS JOIN (
            SELECT tier
            FROM found
            UNION
            SELECT 0
        ) AS t
        CROSS JOIN search_blocks() AS b
        LEFT JOIN found ON (found.place, found.tier, found.block) = (asked.place, t.tier, b.block)
    )

    SELECT
        has_all.tier,
        CASE
            WHEN passing IS NULL THEN bit_concat(has_all.mentors ORDER BY has_all.block)
            ELSE bit_concat(has_all.mentors ORDER BY has_all.block) & passing
        END
    FROM (
        SELECT
            tier,
            block,
            bit_and(mentors) AS mentors
        FROM reached
        GROUP BY tier, block
    ) AS has_all
    GROUP BY has_all.tier
    UNION ALL
    SELECT
        0,
        passing
    WHERE words IS NULL
$$;

CREATE FUNCTION public.session_event(old_status text, new_status text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT 'session.' || CASE
        WHEN old_status = new_status THEN 'rescheduled'
        WHEN old_status = 'disputed' AND new_status IN ('completed', 'cancelled') THEN 'resolved'
        WHEN new_status = 'pending' THEN 'updated'
        WHEN new_status = 'in_progress' THEN 'started'
        WHEN new_status = 'pending_completion' THEN 'ended'
        ELSE new_status
    END
$$;

CREATE FUNCTION public.session_json(b public.bookings, v public.reviews) RETURNS TABLE(body json)
    LANGUAGE sql STABLE ROWS 1 PARALLEL SAFE
    AS $$
    SELECT row_to_json(fields)
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
    ) AS fields
$$;

CREATE FUNCTION public.slot_json(start_time timestamp with time zone, end_time timestamp with time zone, duration integer) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT
        '{"date":"' || (start_time AT TIME ZONE 'UTC')::date
        || '","dayOfWeek":' || date_part('isodow', start_time AT TIME ZONE 'UTC') - 1
        || ',"startTime":"' || left((start_time AT TIME ZONE 'UTC')::time::text, 5)
        || '","endTime":"' || CASE (end_time AT TIME ZONE 'UTC')::time
            WHEN '00:00' THEN '24:00'
            ELSE left((end_time AT TIME ZONE 'UTC')::time::text, 5)
        END
        || '","duration":' || duration
        || ',"startsAt":"' || replace((start_time AT TIME ZONE 'UTC')::text, ' ', 'T')
        || 'Z","endsAt":"' || replace((end_time AT TIME ZONE 'UTC')::text, ' ', 'T')
        || 'Z"}'
$$;

CREATE TABLE public.time_off (
    id uuid DEFAULT uuidv7() NOT NULL,
    mentor_id uuid NOT NULL,
    starts_at timestamp with time zone NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    start_date date,
    end_date date,
    note text,
    CONSTRAINT time_off_dates CHECK (((start_date IS NULL) = (end_date IS NULL))),
    CONSTRAINT time_off_order CHECK ((starts_at <= ends_at))
);

CREATE FUNCTION public.time_off_json(t public.time_off) RETURNS json
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT json_build_object(
        'id', t.id,
        'startsAt', iso(t.starts_at),
        'endsAt', iso(t.ends_at),
        'startDate', t.start_date,
        'endDate', t.end_date,
        'note', t.note
    )
$$;

CREATE FUNCTION public.time_off_take_days() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    SELECT
        day_start(NEW.start_date, m.availability_timezone),
        day_start(NEW.end_date + 1, m.availability_timezone)
    INTO NEW.starts_at, NEW.ends_at
    FROM mentors AS m
    WHERE m.id = NEW.mentor_id
    FOR NO KEY UPDATE;
    RETURN NEW;
END
$$;

CREATE FUNCTION public.token_name(user_id text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT u.name FROM users AS u WHERE u.id = user_id $$;

CREATE FUNCTION public.touch_updated_at() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    -- now() is when the transaction began. That may be before the change that it waited for.
    NEW.updated_at := greatest(now(), OLD.updated_at);
    RETURN NEW;
END
$$;

CREATE FUNCTION public.unavailable_because(m public.mentors, start_time timestamp with time zone, end_time timestamp with time zone) RETURNS TABLE(code text, detail text)
    LANGUAGE sql STABLE ROWS 2 PARALLEL SAFE
    AS $$
    SELECT
        r.code,
        r.detail
    FROM (
        SELECT
            m.availability_timezone AS zone,
            tstzrange(start_time, end_time) AS period,
            (start_time AT TIME ZONE m.availability_timezone)::date AS day,
            h.hours
        FROM mentor_hours(m, start_time, end_time) AS h
    ) AS asked
    CROSS JOIN LATERAL mentor_free_time(m, asked.hours, start_time, end_time) AS c
    CROSS JOIN LATERAL (
        SELECT
            string_agg(format('session %s from %s', b.id, p.times), ', ' ORDER BY b.start_time)
            FILTER (WHERE p.overlaps) AS sessions,
            string_agg(format('the session from %s', p.times), ', ' ORDER BY b.start_time)
            FILTER (WHERE NOT p.overlaps) AS neighbours
        FROM bookings AS b
        CROSS JOIN LATERAL (
            SELECT
                format('%s to %s', iso(b.start_time), iso(b.end_time)) AS times,
                tstzrange(b.start_time, b.end_time) && asked.period AS overlaps
        ) AS p
        WHERE
            asked.period && c.taken
            AND b.mentor_id = m.id
            AND b.live
            -- Here `start_time` would be the session's.
            AND occupied(b.start_time, b.end_time, b.buffer_time) && tstzrange(
                lower(asked.period) - interval '1 hour', upper(asked.period) + interval '1 hour'
            )
            AND b.start_time - make_interval(mins => m.buffer_time) < upper(asked.period)
            AND b.end_time + make_interval(mins => m.buffer_time) > lower(asked.period)
    ) AS near
    CROSS JOIN LATERAL (
        VALUES
        (
            'outside_hours',
            NOT asked.period <@ asked.hours,
            coalesce((
                SELECT
                    format('The hours on %s (%s) are ', asked.day, asked.zone) || string_agg(
                        replace(
                            to_char(lower(w.span) AT TIME ZONE asked.zone, 'HH24:MI')
                            || to_char(upper(w.span) AT TIME ZONE asked.zone, '-HH24:MI'),
                            '-00:00', '-24:00'
                        ), ', ' ORDER BY w.span
                    )
                FROM mentor_windows(m, asked.day, asked.day) AS w
            ), format('There are no hours on %s (%s)', asked.day, asked.zone))
        ),
        (
            'time_off',
            asked.period && c.time_off,
            (
                SELECT
                    string_agg(
                        format('Time off from %s to %s', iso(t.starts_at), iso(t.ends_at)),
                        ', ' ORDER BY t.starts_at
                    )
                FROM time_off AS t
                WHERE t.mentor_id = m.id AND t.ends_at > start_time AND t.starts_at < end_time
            )
        ),
        ('session', near.sessions IS NOT NULL, 'There is ' || near.sessions),
        (
            'buffer',
            near.neighbours IS NOT NULL,
            format('%s minutes stay free around ', m.buffer_time) || near.neighbours
        ),
        (
            'notice',
            start_time > now() AND start_time < c.earliest,
            format(
                'With %s minutes of notice the earliest start is now %s',
                m.minimum_notice_minutes,
                iso(date_trunc('minute', c.earliest + interval '59.999999 seconds'))
            )
        ),
        (
            'horizon',
            start_time >= c.horizon,
            format('The horizon ends before %s', iso(c.horizon))
        ),
        (
            'day_full',
            start_time <@ c.full_days,
            format('The limit of %s on %s is reached', m.max_sessions_per_day, asked.day)
        ),
        (
            'week_full',
            start_time <@ c.full_weeks,
            format(
                'The limit of %s in the week of %s is reached', m.max_sessions_per_week, asked.day
            )
        ),
        ('paused', NOT m.accepting_requests, 'Requests are switched off'),
        ('past', start_time <= now(), 'The start has passed')
    ) AS r (code, applies, detail)
    WHERE r.applies
$$;

CREATE FUNCTION public.until_last_instant(hours tstzmultirange) RETURNS tstzmultirange
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT hours * tstzmultirange(tstzrange(NULL, '9999-12-31 23:59:59+00')) $$;

CREATE FUNCTION public.users_rename_profile() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE mentors
    SET
        full_name = CASE WHEN own_name THEN full_name ELSE NEW.name END,
        profile_image_url = CASE WHEN own_image THEN profile_image_url ELSE NEW.picture END
    WHERE user_id = NEW.id;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.window_on_changed_day(day date, zone text, start_time interval, end_time interval) RETURNS tstzmultirange
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    AS $$
DECLARE
    earlier timestamptz := (day - interval '12 hours') AT TIME ZONE zone;
    later timestamptz := (day + interval '36 hours') AT TIME ZONE zone;
    middle timestamptz;
    -- Midnight by the clock before the change, and by the clock after it.
    old_midnight CONSTANT timestamptz := earlier + (day - earlier AT TIME ZONE zone);
    new_midnight CONSTANT timestamptz := later + (day - later AT TIME ZONE zone);
BEGIN
    -- Bisect to the minute. Afterwards the change is at `later`.
    WHILE later - earlier > interval '1 minute' LOOP
        middle := date_trunc('minute', earlier + (later - earlier) / 2);
        IF middle + (day - middle AT TIME ZONE zone) = old_midnight THEN
            earlier := middle;
        ELSE
            later := middle;
        END IF;
    END LOOP;
    RETURN tstzmultirange(
        tstzrange(old_midnight + start_time, old_midnight + end_time) * tstzrange(NULL, later),
        tstzrange(new_midnight + start_time, new_midnight + end_time) * tstzrange(later, NULL)
    );
END
$$;

CREATE FUNCTION public.windows_compute_starts() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        PERFORM compute_mentor_starts(ARRAY(
            SELECT o.mentor_id FROM old_windows AS o
            UNION
            SELECT n.mentor_id FROM new_windows AS n
        ));
    ELSE
        PERFORM compute_mentor_starts(ARRAY(SELECT DISTINCT c.mentor_id FROM changed AS c));
    END IF;
    RETURN NULL;
END
$$;

CREATE AGGREGATE public.bit_concat(bits bit varying) (
    SFUNC = bitcat,
    STYPE = bit varying,
    PARALLEL = safe
);

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

CREATE TABLE public.applied_functions (
    hash text NOT NULL,
    triggers_hash text NOT NULL,
    objects text[] NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
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

CREATE VIEW public.due_sessions AS
 SELECT id,
    mentor_id,
    start_time,
        CASE
            WHEN (status = 'in_progress'::text) THEN (end_time + '00:15:00'::interval)
            ELSE start_time
        END AS due_since,
        CASE
            WHEN ((end_time + '00:15:00'::interval) <= now()) THEN 'pending_completion'::text
            ELSE 'in_progress'::text
        END AS next_status
   FROM public.bookings b
  WHERE (live AND (start_time <= now()) AND (((status = ANY (ARRAY['confirmed'::text, 'rescheduled'::text])) AND (end_time > now())) OR ((status = ANY (ARRAY['confirmed'::text, 'rescheduled'::text, 'in_progress'::text])) AND ((end_time + '00:15:00'::interval) <= now()))));

ALTER TABLE public.events ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
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

COMMENT ON COLUMN public.idempotency_keys.route IS 'method and path template';

COMMENT ON COLUMN public.idempotency_keys.fingerprint IS 'SHA-256 of the path''s ids and the body';

CREATE VIEW public.mentor_list AS
 SELECT m.id,
    m.visibility,
    m.rating,
    m.review_count,
    m.total_sessions,
    s.body
   FROM (public.mentors m
     CROSS JOIN LATERAL public.mentor_card(m.*) s(body));

CREATE TABLE public.mentor_starts (
    mentor_id uuid NOT NULL,
    starts smallint[] NOT NULL
);

ALTER TABLE public.mentors ALTER COLUMN number ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.mentors_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.search_postings (
    field text NOT NULL COLLATE pg_catalog."C",
    word text NOT NULL COLLATE pg_catalog."C",
    block integer NOT NULL,
    mentors bit(16384) NOT NULL,
    id bigint NOT NULL
)
WITH (toast_tuple_target='128');
ALTER TABLE ONLY public.search_postings ALTER COLUMN mentors SET STORAGE MAIN;

CREATE VIEW public.public_mentor_count AS
 SELECT (COALESCE(sum(bit_count(mentors)), (0)::numeric))::bigint AS mentors
   FROM ( SELECT bit_xor(p.mentors) AS mentors
           FROM public.search_postings p
          WHERE (p.field = 'duration'::text)
          GROUP BY p.word, p.block) bitmap;

CREATE VIEW public.request_list AS
 SELECT r.id,
    r.mentor_id,
    r.mentee_id,
    r.status,
    r.created_at,
    s.body,
    r.start_time
   FROM ((public.requests r
     LEFT JOIN public.bookings b ON ((b.id = r.booking_id)))
     CROSS JOIN LATERAL public.request_json(r.*, b.*, r.start_time, r.end_time) s(body));

CREATE VIEW public.search_bitmaps AS
 SELECT field,
    word,
    block,
    bit_xor(mentors) AS mentors
   FROM public.search_postings
  GROUP BY field, word, block
 HAVING (bit_xor(mentors) <> public.search_no_mentors());

ALTER TABLE public.search_postings ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.search_postings_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE VIEW public.search_postings_recounted AS
 SELECT field,
    word,
    public.search_block((64 * n)) AS block,
    bit_or("overlay"(public.search_no_mentors(), (mentors)::bit(64), (((64 * n) % public.search_block_size()) + 1))) AS mentors
   FROM ( SELECT t.field,
            t.word,
            (m.number / 64) AS n,
            bit_or(((1)::bigint << (63 - (m.number % 64)))) AS mentors
           FROM (public.mentors m
             CROSS JOIN LATERAL public.profile_terms(m.*) t(field, word))
          WHERE (m.visibility = 'public'::text)
          GROUP BY t.field, t.word, (m.number / 64)) part
  GROUP BY field, word, (public.search_block((64 * n)));

CREATE TABLE public.search_vocabulary (
    word text NOT NULL COLLATE pg_catalog."C",
    keys text[] NOT NULL COLLATE pg_catalog."C",
    id bigint NOT NULL
);

ALTER TABLE public.search_vocabulary ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.search_vocabulary_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
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
     CROSS JOIN LATERAL public.session_json(b.*, v.*) s(body));

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

ALTER TABLE ONLY public.applied_functions
    ADD CONSTRAINT applied_functions_pkey PRIMARY KEY (hash);

ALTER TABLE ONLY public.availability_overrides
    ADD CONSTRAINT availability_overrides_pkey PRIMARY KEY (mentor_id, day);

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

ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (xid, id);

ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (user_id, route, key);

ALTER TABLE ONLY public.mentor_starts
    ADD CONSTRAINT mentor_starts_pkey PRIMARY KEY (mentor_id);

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
    ADD CONSTRAINT search_postings_pkey PRIMARY KEY (field, word, block, id);

ALTER TABLE ONLY public.search_vocabulary
    ADD CONSTRAINT search_vocabulary_pkey PRIMARY KEY (word, id);

ALTER TABLE ONLY public.time_off
    ADD CONSTRAINT time_off_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.yoyo_lock
    ADD CONSTRAINT yoyo_lock_pkey PRIMARY KEY (locked);

CREATE INDEX availability_overrides_by_day ON public.availability_overrides USING btree (day);

CREATE INDEX availability_windows_by_mentor ON public.availability_windows USING btree (mentor_id, day_of_week, start_time);

CREATE INDEX bookings_by_mentee ON public.bookings USING btree (mentee_id, start_time, id);

CREATE INDEX bookings_by_mentor ON public.bookings USING btree (mentor_id, start_time, id);

CREATE INDEX bookings_live_by_start ON public.bookings USING btree (start_time) WHERE live;

CREATE INDEX events_by_age ON public.events USING btree (created_at) WHERE (NOT is_history);

CREATE INDEX events_by_object ON public.events USING btree (object_id, id) WHERE is_history;

CREATE INDEX idempotency_keys_by_age ON public.idempotency_keys USING btree (created_at);

CREATE INDEX mentor_starts_by_minute ON public.mentor_starts USING gin (starts) WITH (fastupdate=off);

CREATE INDEX mentors_best_first ON public.mentors USING btree (rating DESC NULLS LAST, review_count DESC, total_sessions DESC, id) INCLUDE (number) WHERE (visibility = 'public'::text);

CREATE INDEX mentors_cheapest_first ON public.mentors USING btree (session_rate, rating DESC NULLS LAST, review_count DESC, total_sessions DESC, id) INCLUDE (number) WHERE (visibility = 'public'::text);

CREATE INDEX mentors_newest_first ON public.mentors USING btree (created_at DESC, rating DESC NULLS LAST, review_count DESC, total_sessions DESC, id) INCLUDE (number) WHERE (visibility = 'public'::text);

CREATE INDEX requests_by_mentee ON public.requests USING btree (mentee_id, created_at DESC, id DESC);

CREATE INDEX requests_by_mentor ON public.requests USING btree (mentor_id, created_at DESC, id DESC);

CREATE UNIQUE INDEX requests_one_pending ON public.requests USING btree (mentor_id, mentee_id) WHERE (status = 'pending'::text);

CREATE INDEX requests_pending_by_start ON public.requests USING btree (start_time) WHERE (status = 'pending'::text);

CREATE INDEX reviews_by_mentee ON public.reviews USING btree (mentee_id, created_at DESC, id DESC);

CREATE INDEX reviews_by_mentor ON public.reviews USING btree (mentor_id, created_at DESC, id DESC);

CREATE INDEX search_vocabulary_keys ON public.search_vocabulary USING gin (keys);

CREATE INDEX time_off_by_mentor ON public.time_off USING btree (mentor_id, ends_at);

CREATE INDEX time_off_by_start ON public.time_off USING btree (starts_at);

CREATE TRIGGER availability_overrides_recorded AFTER INSERT OR DELETE OR UPDATE ON public.availability_overrides FOR EACH ROW EXECUTE FUNCTION public.record_mentor_update('mentor');

CREATE TRIGGER availability_windows_added AFTER INSERT ON public.availability_windows REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION public.windows_compute_starts();

CREATE TRIGGER availability_windows_changed AFTER UPDATE ON public.availability_windows REFERENCING OLD TABLE AS old_windows NEW TABLE AS new_windows FOR EACH STATEMENT EXECUTE FUNCTION public.windows_compute_starts();

CREATE TRIGGER availability_windows_deleted AFTER DELETE ON public.availability_windows REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION public.windows_compute_starts();

CREATE TRIGGER availability_windows_recorded AFTER INSERT OR DELETE OR UPDATE ON public.availability_windows FOR EACH ROW EXECUTE FUNCTION public.record_mentor_update('mentor');

CREATE TRIGGER bookings_change_recorded AFTER UPDATE ON public.bookings REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.record_sessions();

CREATE TRIGGER bookings_completed_changed AFTER UPDATE OF status, mentor_id ON public.bookings FOR EACH ROW WHEN ((((old.status = 'completed'::text) IS DISTINCT FROM (new.status = 'completed'::text)) OR (old.mentor_id IS DISTINCT FROM new.mentor_id))) EXECUTE FUNCTION public.bookings_count_completed();

CREATE TRIGGER bookings_completed_deleted AFTER DELETE ON public.bookings FOR EACH ROW WHEN ((old.status = 'completed'::text)) EXECUTE FUNCTION public.bookings_count_completed();

CREATE TRIGGER bookings_completed_new AFTER INSERT ON public.bookings FOR EACH ROW WHEN ((new.status = 'completed'::text)) EXECUTE FUNCTION public.bookings_count_completed();

CREATE TRIGGER bookings_history_deleted AFTER DELETE ON public.bookings FOR EACH ROW EXECUTE FUNCTION public.delete_history();

CREATE TRIGGER bookings_moved BEFORE UPDATE ON public.bookings FOR EACH ROW WHEN (((((old.mentor_id IS DISTINCT FROM new.mentor_id) OR (old.start_time IS DISTINCT FROM new.start_time)) OR (old.end_time IS DISTINCT FROM new.end_time)) OR (public.booking_is_live(new.status) AND (NOT public.booking_is_live(old.status))))) EXECUTE FUNCTION public.bookings_reserve_time();

CREATE TRIGGER bookings_moved_or_deleted AFTER DELETE OR UPDATE OF mentor_id ON public.bookings FOR EACH ROW EXECUTE FUNCTION public.record_mentor_update('lists');

CREATE TRIGGER bookings_placed BEFORE INSERT ON public.bookings FOR EACH ROW EXECUTE FUNCTION public.bookings_reserve_time();

CREATE TRIGGER bookings_recorded AFTER INSERT ON public.bookings REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.record_sessions();

CREATE TRIGGER bookings_resequenced BEFORE UPDATE ON public.bookings FOR EACH ROW WHEN (((((old.start_time IS DISTINCT FROM new.start_time) OR (old.end_time IS DISTINCT FROM new.end_time)) OR (old.location IS DISTINCT FROM new.location)) OR (public.calendar_status(old.status) IS DISTINCT FROM public.calendar_status(new.status)))) EXECUTE FUNCTION public.bookings_resequence();

CREATE TRIGGER bookings_touch BEFORE UPDATE ON public.bookings FOR EACH ROW EXECUTE FUNCTION public.touch_updated_at();

CREATE TRIGGER mentors_buffer_shrunk AFTER UPDATE OF buffer_time ON public.mentors FOR EACH ROW WHEN ((new.buffer_time < old.buffer_time)) EXECUTE FUNCTION public.mentors_shrink_buffer();

CREATE TRIGGER mentors_card_change_recorded AFTER UPDATE ON public.mentors FOR EACH ROW WHEN ((((((((((((((((old.user_id IS DISTINCT FROM new.user_id) OR (old.full_name IS DISTINCT FROM new.full_name)) OR (old.profile_image_url IS DISTINCT FROM new.profile_image_url)) OR (old.profile_image_file IS DISTINCT FROM new.profile_image_file)) OR (old.headline IS DISTINCT FROM new.headline)) OR (old.bio IS DISTINCT FROM new.bio)) OR (old.expertise IS DISTINCT FROM new.expertise)) OR (old.languages IS DISTINCT FROM new.languages)) OR (old.location IS DISTINCT FROM new.location)) OR (old.session_duration IS DISTINCT FROM new.session_duration)) OR (old.timezone IS DISTINCT FROM new.timezone)) OR (old.session_rate IS DISTINCT FROM new.session_rate)) OR (old.session_currency IS DISTINCT FROM new.session_currency)) OR (old.visibility IS DISTINCT FROM new.visibility)) OR ((pg_trigger_depth() = 0) AND (((old.rating_sum IS DISTINCT FROM new.rating_sum) OR (old.review_count IS DISTINCT FROM new.review_count)) OR (old.total_sessions IS DISTINCT FROM new.total_sessions))))) EXECUTE FUNCTION public.record_mentor_update('lists');

CREATE TRIGGER mentors_change_recorded AFTER UPDATE ON public.mentors FOR EACH ROW WHEN ((pg_trigger_depth() = 0)) EXECUTE FUNCTION public.record_mentor_update('mentor');

CREATE TRIGGER mentors_index_changed AFTER UPDATE ON public.mentors REFERENCING OLD TABLE AS old_mentors NEW TABLE AS new_mentors FOR EACH STATEMENT EXECUTE FUNCTION public.mentors_index();

CREATE TRIGGER mentors_index_gone AFTER DELETE ON public.mentors REFERENCING OLD TABLE AS old_mentors FOR EACH STATEMENT EXECUTE FUNCTION public.mentors_index();

CREATE TRIGGER mentors_index_new AFTER INSERT ON public.mentors REFERENCING NEW TABLE AS new_mentors FOR EACH STATEMENT EXECUTE FUNCTION public.mentors_index();

CREATE TRIGGER mentors_recorded AFTER INSERT OR DELETE ON public.mentors FOR EACH ROW EXECUTE FUNCTION public.record_mentor_update('lists');

CREATE TRIGGER mentors_session_changed AFTER UPDATE OF session_duration, buffer_time, availability_timezone ON public.mentors FOR EACH ROW WHEN ((((old.session_duration IS DISTINCT FROM new.session_duration) OR (old.buffer_time IS DISTINCT FROM new.buffer_time)) OR (old.availability_timezone IS DISTINCT FROM new.availability_timezone))) EXECUTE FUNCTION public.mentors_compute_starts();

CREATE TRIGGER mentors_touch BEFORE UPDATE ON public.mentors FOR EACH ROW EXECUTE FUNCTION public.touch_updated_at();

CREATE TRIGGER mentors_zone_changed AFTER UPDATE OF availability_timezone ON public.mentors FOR EACH ROW WHEN ((old.availability_timezone <> new.availability_timezone)) EXECUTE FUNCTION public.mentors_move_time_off();

CREATE TRIGGER requests_change_recorded AFTER UPDATE ON public.requests REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.record_requests();

CREATE TRIGGER requests_history_deleted AFTER DELETE ON public.requests FOR EACH ROW EXECUTE FUNCTION public.delete_history();

CREATE TRIGGER requests_priced BEFORE INSERT ON public.requests FOR EACH ROW WHEN (((new.session_rate IS NULL) OR (new.session_currency IS NULL))) EXECUTE FUNCTION public.requests_take_rate();

CREATE TRIGGER requests_recorded AFTER INSERT ON public.requests REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.record_requests();

CREATE TRIGGER requests_touch BEFORE UPDATE ON public.requests FOR EACH ROW EXECUTE FUNCTION public.touch_updated_at();

CREATE TRIGGER reviews_change_recorded AFTER UPDATE ON public.reviews FOR EACH ROW EXECUTE FUNCTION public.record_mentor_update('lists');

CREATE TRIGGER reviews_counted AFTER INSERT OR DELETE OR UPDATE ON public.reviews FOR EACH ROW EXECUTE FUNCTION public.reviews_count();

CREATE TRIGGER reviews_recorded AFTER INSERT OR DELETE ON public.reviews FOR EACH ROW EXECUTE FUNCTION public.record_review();

CREATE TRIGGER time_off_days_taken BEFORE INSERT OR UPDATE OF mentor_id, start_date, end_date, starts_at, ends_at ON public.time_off FOR EACH ROW WHEN ((new.start_date IS NOT NULL)) EXECUTE FUNCTION public.time_off_take_days();

CREATE TRIGGER time_off_recorded AFTER INSERT OR DELETE OR UPDATE ON public.time_off FOR EACH ROW EXECUTE FUNCTION public.record_mentor_update('mentor');

CREATE TRIGGER users_recorded AFTER DELETE OR UPDATE ON public.users FOR EACH ROW EXECUTE FUNCTION public.record_user();

CREATE TRIGGER users_renamed AFTER UPDATE OF name, picture ON public.users FOR EACH ROW WHEN (((old.name IS DISTINCT FROM new.name) OR (old.picture IS DISTINCT FROM new.picture))) EXECUTE FUNCTION public.users_rename_profile();

ALTER TABLE ONLY public.availability_overrides
    ADD CONSTRAINT availability_overrides_mentor_fkey FOREIGN KEY (mentor_id) REFERENCES public.mentors(id) ON DELETE CASCADE;

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

ALTER TABLE ONLY public.mentor_starts
    ADD CONSTRAINT mentor_starts_mentor_fkey FOREIGN KEY (mentor_id) REFERENCES public.mentors(id) ON DELETE CASCADE;

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

ALTER TABLE ONLY public.time_off
    ADD CONSTRAINT time_off_mentor_fkey FOREIGN KEY (mentor_id) REFERENCES public.mentors(id) ON DELETE CASCADE;
