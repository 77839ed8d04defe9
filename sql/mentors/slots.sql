-- mentors.slots: the times at which a public mentor can be booked.
-- $1 mentor_id  uuid
-- $2 start_date date
-- $3 end_date   date
-- returns body and seconds_valid, until the first slot's time comes; no row when there is no such
-- public mentor
WITH mentor AS (
    SELECT
        m.id,
        m.session_duration,
        m.buffer_time,
        m.timezone,
        make_interval(mins => m.session_duration) AS duration,
        make_interval(mins => m.session_duration + m.buffer_time) AS step
    FROM mentors AS m
    WHERE m.id = $1 AND m.visibility = 'public'
),

-- Once, not once for each slot.
free AS MATERIALIZED (
    SELECT mentor_free_time(mentor.id, $2, $3) AS hours
    FROM mentor
),

slots AS (
    SELECT
        d.day,
        w.day_of_week,
        s.start_time
    FROM mentor
    INNER JOIN availability_windows AS w ON w.mentor_id = mentor.id
    CROSS JOIN generate_series($2::timestamp, $3::timestamp, interval '1 day') AS d (day)
    INNER JOIN LATERAL generate_series(
        d.day + w.start_time,
        d.day + w.end_time - mentor.duration,
        mentor.step
    ) AS s (start_time) ON TRUE
    CROSS JOIN free
    WHERE
        w.day_of_week = extract(ISODOW FROM d.day)::integer - 1
        AND s.start_time AT TIME ZONE 'UTC' > now()
        AND tstzrange(
            s.start_time AT TIME ZONE 'UTC',
            (s.start_time + mentor.duration) AT TIME ZONE 'UTC'
        ) <@ free.hours
)

SELECT
    json_build_object(
        'mentorId', mentor.id,
        'sessionDuration', mentor.session_duration,
        'bufferTime', mentor.buffer_time,
        'timezone', mentor.timezone,
        'slots', coalesce((
            SELECT
                json_agg(
                    json_build_object(
                        'date', to_char(slots.day, 'YYYY-MM-DD'),
                        'dayOfWeek', slots.day_of_week,
                        'startTime', to_char(slots.start_time, 'HH24:MI'),
                        'endTime', to_char(
                            slots.start_time - slots.day + mentor.duration, 'HH24:MI'
                        ),
                        'duration', mentor.session_duration
                    )
                    ORDER BY slots.start_time
                )
            FROM slots
        ), '[]')
    ) AS body,
    coalesce(
        extract(EPOCH FROM (
            SELECT min(slots.start_time)
            FROM slots
        ) AT TIME ZONE 'UTC' - now()),
        'Infinity'
    )::double precision AS seconds_valid
FROM mentor;
