-- The mentors with a free slot between two instants, soonest first: GET /mentors/available.
--
-- mentors_available() is the entry point; sql/mentors/list_available.sql calls it.
--
-- mentor_slots() decides who is free. To call it for every mentor takes too long, so it is called
-- for candidates only, in the order of the earliest instant at which a slot of theirs may start.
-- That instant must not be too late, or a mentor is missed. If it is too early, mentor_slots() is
-- called without need.
--
-- 1. Beforehand, triggers compute mentor_starts: the minutes of the week at which slots of a mentor
--    may start. possible_starts() computes a row of it from the weekly windows: starts follow each
--    other by duration and buffer from the opening of each window, through all windows that touch,
--    and the last start that fits into these is one, too.
-- 2. earliest_starts() reads from it when each mentor may be free next. irregular_starts() has the
--    starts that do not come every week: the last start that fits before a session or time off, and
--    the opening of a window of an override.
-- 3. availability_candidates() begins with a sample, the first 400 mentors of the list. If each of
--    them is free when possible, a page of 20 is full at the 20th of their earliest starts. That is
--    the bound. The candidates are all mentors who may be free by then, in the sample or not.
-- 4. mentors_available() calls mentor_slots() for them, a few at a time, until the page is full of
--    mentors who are free sooner than the next candidate can be.
-- 5. If too many candidates are booked up, steps 3 and 4 follow again with a sample of ten times
--    the size, without the mentors who were checked. The search ends after 1,000 checked mentors.

-- The row that mentor_starts should have for a mentor, computed from the weekly windows; no row
-- without windows.
CREATE OR REPLACE FUNCTION possible_starts(m mentors)
RETURNS TABLE (mentor_id uuid, starts smallint[])
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
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

-- Computes the rows of these mentors again; null means all mentors. The lock comes first: after it,
-- each statement sees the windows that other transactions have committed.
CREATE OR REPLACE FUNCTION compute_mentor_starts(of_mentors uuid[]) RETURNS void
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

CREATE OR REPLACE FUNCTION windows_compute_starts() RETURNS trigger
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

CREATE OR REPLACE TRIGGER availability_windows_added AFTER INSERT ON availability_windows
REFERENCING NEW TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION windows_compute_starts();

CREATE OR REPLACE TRIGGER availability_windows_changed AFTER UPDATE ON availability_windows
REFERENCING OLD TABLE AS old_windows NEW TABLE AS new_windows
FOR EACH STATEMENT EXECUTE FUNCTION windows_compute_starts();

CREATE OR REPLACE TRIGGER availability_windows_deleted AFTER DELETE ON availability_windows
REFERENCING OLD TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION windows_compute_starts();

CREATE OR REPLACE FUNCTION mentors_compute_starts() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM compute_mentor_starts(ARRAY[NEW.id]);
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER mentors_session_changed
AFTER UPDATE OF session_duration, buffer_time, availability_timezone ON mentors
FOR EACH ROW
WHEN (
    (old.session_duration, old.buffer_time, old.availability_timezone)
    IS DISTINCT FROM (new.session_duration, new.buffer_time, new.availability_timezone)
)
EXECUTE FUNCTION mentors_compute_starts();

-- In how many minutes from `first_minute` on each of these mentors may be free. Minutes of the week
-- begin with Monday 00:00 UTC.
CREATE OR REPLACE FUNCTION earliest_starts(of_mentors uuid[], first_minute integer)
RETURNS TABLE (mentor_id uuid, in_minutes integer)
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

-- Starts that mentor_starts does not have, in minutes after `begins`. Of those before a session or
-- time off, only the ones before the mentor's next minute in mentor_starts matter. That minute is a
-- session and a buffer later at most.
CREATE OR REPLACE FUNCTION irregular_starts(begins timestamptz, within integer)
RETURNS TABLE (mentor_id uuid, in_minutes integer)
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

-- The mentors who may be free within some minutes after `begins`, and when, in the order of this
-- time and then of the list. No other mentor can be free before `bound`. If `is_all`, no other
-- mentor can be free at all. `passing` are the mentors that pass the filters, null: all. `checked`
-- are left out.
CREATE OR REPLACE FUNCTION availability_candidates(
    passing varbit,
    begins timestamptz,
    minutes integer,
    wanted integer,
    sample_size integer,
    checked uuid[],
    OUT ids uuid[],
    OUT times timestamptz[],
    OUT bound timestamptz,
    OUT is_all boolean
)
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

-- The first three slots of a mentor between two instants, as JSON, and when the first one starts.
CREATE OR REPLACE FUNCTION first_slots(m mentors, from_time timestamptz, to_time timestamptz)
RETURNS TABLE (first_start timestamptz, slots json)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
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

-- The mentors with a free slot between two instants.
--
-- In:  the filters (keys as in search_filter()), the two instants, how many mentors are wanted, and
--      how many mentors the first sample has.
-- Out: a row for each mentor, with the start of the first slot and the first three slots as JSON.
--      Soonest first, then in the order of the list. A row of nulls follows if one of the mentors
--      that were checked has a limit of sessions: then the result changes with pending requests.
--
-- To check a mentor is to call mentor_slots(). availability_candidates() says when each mentor may
-- be free at the earliest, and mentors are checked in the order of these times, some of them at
-- once. The time of the next candidate is `known_until`: a mentor who is not checked yet cannot be
-- free before it. The page is full when enough of the checked mentors are free before it. If a
-- sample has no more candidates and the page is not full, a larger sample follows.
--
-- Example: two mentors are wanted, and three are checked at once. The candidates are Ann at 9:00,
-- Ben at 9:00, Cyd at 9:30 and Dan at 11:00. The check says that Ann is free at 12:00, Ben at 9:00
-- and Cyd at 10:30. `known_until` is 11:00, the time of Dan. Ben and Cyd are free before it. They
-- are the page, and Dan is not checked.
CREATE OR REPLACE FUNCTION mentors_available(
    filters jsonb,
    from_time timestamptz,
    to_time timestamptz,
    wanted integer,
    sample_size integer DEFAULT 400
)
RETURNS TABLE (id uuid, first_start timestamptz, slots json)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 20
-- PostgreSQL does not know how few the candidates are.
SET enable_seqscan = off
SET enable_hashjoin = off
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
