-- Free time, and the slots cut from it.
--
-- mentor_free_time() is the one rule about time: GET /mentors/:id/availability offers what
-- mentor_slots() cuts from it, and POST /requests admits what lies within it.

-- The weekly windows from one date to another (UTC, both inclusive), adjacent ones merged, without
-- the live sessions and the mentor's buffer before and after each.
CREATE OR REPLACE FUNCTION mentor_free_time(
    for_mentor uuid, from_date date, to_date date
) RETURNS tstzmultirange
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

-- The slots of a mentor that start on these dates (UTC, both inclusive) and in the future. Each
-- lies within mentor_free_time(), so POST /requests admits it. Their starts:
--
-- 1. Windows that touch are cut as one if they touch at midnight, or if one of them is too short
--    for a session. If the whole week is open, each week is cut on its own, from Monday 00:00.
-- 2. In each of these, starts follow each other by the mentor's duration and buffer. The beginning
--    of a window is a start, too, if the session before has ended by then.
-- 3. A stretch of free time that has none of these starts left gets the last start that fits.
--
-- Rules 1 and 2 give the same starts in every week, so they are worked out once, in minutes from
-- Monday 00:00.
CREATE OR REPLACE FUNCTION mentor_slots(m mentors, from_date date, to_date date)
RETURNS TABLE (start_time timestamptz, end_time timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 50
AS $$
    WITH RECURSIVE setting AS MATERIALIZED (
        SELECT
            m.session_duration + m.buffer_time AS step,
            make_interval(mins => m.session_duration) AS duration,
            from_date::timestamp AT TIME ZONE 'UTC' AS begins,
            (to_date + 1)::timestamp AT TIME ZONE 'UTC' AS ends,
            -- A day more on each side: free time may go on across midnight.
            mentor_free_time(m.id, from_date - 1, to_date + 1) AS free
    ),

    windows AS (
        SELECT
            w.day_of_week * 1440 + extract(EPOCH FROM w.start_time)::integer / 60 AS opens,
            w.day_of_week * 1440 + extract(EPOCH FROM w.end_time)::integer / 60 AS closes
        FROM availability_windows AS w
        WHERE w.mentor_id = m.id
    ),

    -- Whether a window is cut as one with the window before it.
    joined AS MATERIALIZED (
        SELECT
            w.opens,
            w.closes,
            CASE
                WHEN w.opens = 0
                    -- Sunday 24:00 is Monday 00:00.
                    THEN max(w.closes) OVER () = 10080 AND sum(w.closes - w.opens) OVER () < 10080
                WHEN w.opens = lag(w.closes) OVER by_time
                    THEN
                        w.opens % 1440 = 0
                        OR w.closes - w.opens < m.session_duration
                        OR w.opens - lag(w.opens) OVER by_time < m.session_duration
                ELSE FALSE
            END AS goes_on
        FROM windows AS w
        WINDOW by_time AS (ORDER BY w.opens)
    ),

    -- `late`: how many minutes after the opening of a window its first start comes.
    cut AS (
        SELECT
            w.opens,
            w.closes,
            0 AS late
        FROM joined AS w
        WHERE NOT w.goes_on
        UNION ALL
        SELECT
            w.opens,
            w.closes,
            -- The session before has ended by the opening if only its buffer reaches beyond.
            CASE WHEN next.late > m.buffer_time THEN next.late ELSE 0 END
        FROM cut
        INNER JOIN joined AS w ON w.opens = cut.closes % 10080 AND w.goes_on
        CROSS JOIN setting
        CROSS JOIN LATERAL (
            SELECT mod(
                mod(cut.opens + cut.late - cut.closes, setting.step) + setting.step, setting.step
            ) AS late
        ) AS next
    ),

    weekly AS MATERIALIZED (
        SELECT make_interval(mins => s.minute) AS since_monday
        FROM cut
        CROSS JOIN setting
        CROSS JOIN LATERAL generate_series(
            cut.opens + cut.late,
            CASE
                WHEN cut.closes % 10080 IN (SELECT j.opens FROM joined AS j WHERE j.goes_on)
                    THEN cut.closes - 1
                ELSE cut.closes - m.session_duration
            END,
            setting.step
        ) AS s (minute)
    ),

    -- Materialized: AT TIME ZONE for each slot takes longer than all the rest.
    weeks AS MATERIALIZED (
        SELECT w.monday AT TIME ZONE 'UTC' AS begins
        FROM generate_series(
            date_trunc('week', (from_date - 1)::timestamp), to_date::timestamp, interval '1 week'
        ) AS w (monday)
    ),

    fitting AS MATERIALIZED (
        SELECT s.start_time
        FROM setting
        CROSS JOIN weeks
        CROSS JOIN weekly
        CROSS JOIN LATERAL (SELECT weeks.begins + weekly.since_monday AS start_time) AS s
        WHERE
            -- A stretch that begins earlier and reaches the asked dates has a start since then.
            s.start_time >= setting.begins - interval '6 hours'
            AND s.start_time < setting.ends
            AND s.start_time > now()
            AND tstzrange(s.start_time, s.start_time + setting.duration) <@ setting.free
    ),

    leftover AS (
        SELECT l.start_time
        FROM setting
        CROSS JOIN (
            SELECT coalesce(
                range_agg(tstzrange(f.start_time, f.start_time, '[]')), '{}'
            ) AS starts
            FROM fitting AS f
        ) AS fitting
        CROSS JOIN LATERAL unnest(setting.free) AS f (stretch)
        CROSS JOIN LATERAL (
            SELECT date_trunc('minute', upper(f.stretch) - setting.duration) AS start_time
        ) AS l
        WHERE
            l.start_time >= lower(f.stretch)
            AND l.start_time > now()
            AND NOT fitting.starts && f.stretch
    )

    SELECT
        o.start_time,
        o.start_time + setting.duration
    FROM (
        SELECT f.start_time
        FROM fitting AS f
        UNION ALL
        SELECT l.start_time
        FROM leftover AS l
    ) AS o
    CROSS JOIN setting
    WHERE o.start_time >= setting.begins AND o.start_time < setting.ends
$$;

-- A mentor's settings for bookings; `slots` are the weekly windows.
CREATE OR REPLACE FUNCTION availability_json(m mentors) RETURNS TABLE (body json)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
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
