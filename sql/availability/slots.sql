-- availability.slots: the times at which a public mentor can be booked.
-- $1 mentor_id  uuid
-- $2 start_date text
-- $3 end_date   text
-- $4 max_dates  integer
-- returns three columns:
-- dates, their number from the start date (null: today) to the end date (null: 14 days later);
-- body, null if there is no such public mentor or `dates` is not between 1 and max_dates;
-- seconds_valid, until the first slot can no longer be requested, or until the default dates change
WITH period AS MATERIALIZED (
    SELECT
        start.first_date,
        coalesce($3::text::date, start.first_date + 14) AS last_date,
        (now() AT TIME ZONE 'UTC')::date AS today
    FROM (
        SELECT coalesce($2::text::date, (now() AT TIME ZONE 'UTC')::date) AS first_date
    ) AS start
),

slots AS MATERIALIZED (
    SELECT
        s.start_time AT TIME ZONE 'UTC' AS starts_at,
        s.end_time AT TIME ZONE 'UTC' AS ends_at
    FROM period
    INNER JOIN mentors AS m ON period.last_date - period.first_date + 1 BETWEEN 1 AND $4
    CROSS JOIN LATERAL mentor_slots(m, period.first_date, period.last_date) AS s
    WHERE m.id = $1 AND m.visibility = 'public'
),

first_slot AS (
    SELECT min(slots.starts_at) AS starts_at
    FROM slots
)

SELECT
    period.last_date - period.first_date + 1 AS dates,
    CASE
        WHEN mentor.id IS NOT NULL THEN json_build_object(
            'mentorId', mentor.id,
            'sessionDuration', mentor.session_duration,
            'bufferTime', mentor.buffer_time,
            'timezone', mentor.timezone,
            'slots', coalesce((
                SELECT json_agg(row_to_json(slot))
                FROM (
                    SELECT
                        slots.starts_at::date AS date,
                        extract(ISODOW FROM slots.starts_at)::integer - 1 AS "dayOfWeek",
                        left(slots.starts_at::time::text, 5) AS "startTime",
                        CASE
                            WHEN slots.ends_at::time = '00:00' THEN '24:00'
                            ELSE left(slots.ends_at::time::text, 5)
                        END AS "endTime",
                        mentor.session_duration AS duration,
                        to_char(slots.starts_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS "startsAt",
                        to_char(slots.ends_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS "endsAt"
                    FROM slots
                    ORDER BY slots.starts_at
                ) AS slot
            ), '[]')
        )
    END AS body,
    CASE
        -- Pending requests count, and their changes make no answer stale.
        WHEN num_nonnulls(mentor.max_sessions_per_day, mentor.max_sessions_per_week) > 0 THEN 0
        ELSE coalesce(extract(EPOCH FROM least(
            first_slot.starts_at AT TIME ZONE 'UTC' - notice.ends,
            CASE
                WHEN $2::text IS NULL
                    THEN (period.today + 1)::timestamp AT TIME ZONE 'UTC' - now()
                -- A slot of the first day may depend on a start that passes on the evening before.
                WHEN period.first_date::timestamp AT TIME ZONE 'UTC' > notice.ends
                    THEN greatest(
                        interval '1 minute',
                        period.first_date::timestamp AT TIME ZONE 'UTC'
                        - interval '6 hours'
                        - notice.ends
                    )
            END,
            -- The horizon moves at midnight.
            CASE
                WHEN mentor.horizon_days IS NOT NULL
                    THEN day_start(
                        (now() AT TIME ZONE mentor.availability_timezone)::date + 1,
                        mentor.availability_timezone
                    ) - now()
            END
        )), 'Infinity')
    END::double precision AS seconds_valid
FROM period
CROSS JOIN first_slot
LEFT JOIN mentors AS mentor
    ON
        mentor.id = $1
        AND mentor.visibility = 'public'
        AND period.last_date - period.first_date + 1 BETWEEN 1 AND $4
CROSS JOIN LATERAL (
    VALUES (now() + make_interval(mins => coalesce(mentor.minimum_notice_minutes, 0)))
) AS notice (ends);
