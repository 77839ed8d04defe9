-- Free time, and the slots cut from it.
--
-- mentor_free_time() is the one rule about time: the windows of a day (those of its override, else
-- the weekly ones), minus time off, minus live sessions with the buffer; then the policy. Three
-- functions use it: mentor_slots() cuts the slots that are offered, mentor_admits() admits
-- requests, and unavailable_because() says why a time is not free.

-- The first instant of a day in a time zone. If midnight comes twice, PostgreSQL takes the second
-- one, so this function first tries 12 hours after noon of the day before.
CREATE OR REPLACE FUNCTION day_start(day date, zone text) RETURNS timestamptz
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

-- The instants at which the clock of a zone shows the times of a window, on a day on which or near
-- which the clock changes. Times that the clock skips have no instants, times that come twice have
-- two.
CREATE OR REPLACE FUNCTION window_on_changed_day(
    day date, zone text, start_time interval, end_time interval
) RETURNS tstzmultirange
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

-- The windows of a mentor on the days from the first to the last one, in the mentor's zone: each as
-- the instants at which the clock there shows a time within it.
CREATE OR REPLACE FUNCTION mentor_windows(m mentors, first_day date, last_day date)
RETURNS TABLE (day date, span tstzrange, from_midnight boolean)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 100
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

-- Removes instants after the year 9999, which RFC 3339 cannot express.
CREATE OR REPLACE FUNCTION until_last_instant(hours tstzmultirange) RETURNS tstzmultirange
LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT hours * tstzmultirange(tstzrange(NULL, '9999-12-31 23:59:59+00')) $$;

-- The windows of a mentor on all days that the time between two instants touches.
-- A table, because PostgreSQL inlines this kind. Versions 15 to 17 plan other SQL functions at each
-- call, which takes a millisecond.
CREATE OR REPLACE FUNCTION mentor_hours(m mentors, from_time timestamptz, to_time timestamptz)
RETURNS TABLE (hours tstzmultirange)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT coalesce(until_last_instant(range_agg(w.span)), '{}')
    FROM mentor_windows(
        m,
        (from_time AT TIME ZONE m.availability_timezone)::date,
        (to_time AT TIME ZONE m.availability_timezone)::date
    ) AS w
$$;

-- The days or weeks (Monday to Sunday) of the mentor's zone that have reached a limit. Sessions
-- count unless they are cancelled, and so do pending requests until their time comes.
CREATE OR REPLACE FUNCTION mentor_full_periods(
    m mentors, unit text, most integer, from_time timestamptz, to_time timestamptz
) RETURNS tstzmultirange
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

-- Time off, live sessions and the policy of a mentor between two instants, and what they leave of
-- `open_hours`: a request is admitted if it lies in `free` and begins in `starts`.
CREATE OR REPLACE FUNCTION mentor_free_time(
    m mentors, open_hours tstzmultirange, from_time timestamptz, to_time timestamptz
)
RETURNS TABLE (
    time_off tstzmultirange,
    taken tstzmultirange,
    earliest timestamptz,
    horizon timestamptz,
    full_days tstzmultirange,
    full_weeks tstzmultirange,
    free tstzmultirange,
    starts tstzmultirange
)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
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

-- The free time of a mentor from one date to another (UTC, both inclusive), without the policy. For
-- use in psql; the API does not call it.
CREATE OR REPLACE FUNCTION mentor_free_time(
    for_mentor uuid, from_date date, to_date date
) RETURNS tstzmultirange
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

-- Whether a mentee can request this time. If the mentor has a limit of sessions, requests to this
-- mentor wait here for each other: after the lock, each statement of this function sees what the
-- others have committed, because the function is VOLATILE.
CREATE OR REPLACE FUNCTION mentor_admits(
    m mentors, start_time timestamptz, end_time timestamptz
) RETURNS boolean
LANGUAGE plpgsql VOLATILE
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

-- Why a mentee cannot request a time of this mentor: no row if mentor_admits() would admit it.
CREATE OR REPLACE FUNCTION unavailable_because(
    m mentors, start_time timestamptz, end_time timestamptz
)
RETURNS TABLE (code text, detail text)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 2
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

-- The slots that a mentor offers. mentor_admits() admits each of them.
--
-- In:  the mentor, and the first and the last date (UTC). A slot belongs to the date of its start.
-- Out: a row for each slot, in the order of time.
--
-- A slot is a time for one session. The planned starts are the times at which sessions start if
-- nothing is booked. mentor_free_time() says what is still free. Each stretch of free time has a
-- part in which a session can start: from its beginning until a duration before its end. The policy
-- can shorten or divide this part. A slot begins at each planned start in this part. If there is
-- none, a slot begins at the last whole minute of this part, so a mentor with enough free time
-- always has a slot.
--
-- Rules for the planned starts:
--
-- 1. A window begins with a session. The next ones follow, each a duration and a buffer later, as
--    long as they end within the window.
-- 2. Two windows that touch are joined if they touch at midnight, or if one of them is too short
--    for a session. The sessions of the first one then go on into the second one. Its opening is a
--    start all the same if the session before has ended by then.
-- 3. If seven whole days up to a Monday 00:00 are open, no windows are joined at this midnight.
--    Without this rule, the windows of a mentor who is always open would have no first one.
--
-- Example: sessions of 60 minutes, no buffer, the window 09:00-12:00. The planned starts are 09:00,
-- 10:00 and 11:00.
-- * A session from 09:30 to 10:30 is booked. Free are 09:00-09:30, which is too short, and
--   10:30-12:00, where a session can start from 10:30 to 11:00. The only slot begins at 11:00.
-- * A session from 08:15 to 09:15 is booked, and the mentor is off from 10:45 on. Free are
--   09:15-10:45, where a session can start from 09:15 to 09:45. This part has no planned start. The
--   only slot begins at 09:45.
CREATE OR REPLACE FUNCTION mentor_slots(m mentors, from_date date, to_date date)
RETURNS TABLE (start_time timestamptz, end_time timestamptz)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 50
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

-- A slot as JSON. Written as text, since json_build_object() takes twice the time.
CREATE OR REPLACE FUNCTION slot_json(
    start_time timestamptz, end_time timestamptz, duration integer
) RETURNS text
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

-- A mentor's settings for bookings; `slots` are the weekly windows.
CREATE OR REPLACE FUNCTION availability_json(m mentors) RETURNS TABLE (body json)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
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

-- The windows of one day.
CREATE OR REPLACE FUNCTION override_json(o availability_overrides) RETURNS TABLE (body json)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
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

CREATE OR REPLACE FUNCTION time_off_json(t time_off) RETURNS json
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

CREATE OR REPLACE FUNCTION policy_json(m mentors) RETURNS json
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

-- Computes the instants of time off in whole days, which are days of the mentor's zone. The lock
-- keeps the zone: mentors_move_time_off() of another transaction does not see this row.
CREATE OR REPLACE FUNCTION time_off_take_days() RETURNS trigger
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

-- It locks the mentor, so a change of the note does not run it: a change of the zone locks the
-- mentor first.
CREATE OR REPLACE TRIGGER time_off_days_taken
BEFORE INSERT OR UPDATE OF mentor_id, start_date, end_date, starts_at, ends_at ON time_off
FOR EACH ROW WHEN (new.start_date IS NOT NULL)
EXECUTE FUNCTION time_off_take_days();

CREATE OR REPLACE FUNCTION mentors_move_time_off() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    UPDATE time_off
    SET start_date = start_date
    WHERE mentor_id = NEW.id AND start_date IS NOT NULL;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER mentors_zone_changed AFTER UPDATE OF availability_timezone ON mentors
FOR EACH ROW WHEN (old.availability_timezone <> new.availability_timezone)
EXECUTE FUNCTION mentors_move_time_off();
