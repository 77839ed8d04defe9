-- availability.list_slots: the times at which a public mentor can be booked.
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
)

SELECT
    period.last_date - period.first_date + 1 AS dates,
    CASE
        WHEN mentor.id IS NOT NULL THEN format(
            '{"mentorId":"%s","sessionDuration":%s,"bufferTime":%s,"timezone":%s,"slots":[%s]}',
            mentor.id,
            mentor.session_duration,
            mentor.buffer_time,
            to_json(mentor.timezone),
            offered.slots
        )
    END AS body,
    CASE
        -- Pending requests count, and their changes make no response stale.
        WHEN num_nonnulls(mentor.max_sessions_per_day, mentor.max_sessions_per_week) > 0 THEN 0
        ELSE coalesce(extract(EPOCH FROM least(
            offered.first_start - notice.ends,
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
LEFT JOIN mentors AS mentor
    ON
        mentor.id = $1
        AND mentor.visibility = 'public'
        AND period.last_date - period.first_date + 1 BETWEEN 1 AND $4
CROSS JOIN
    LATERAL (
        SELECT
            min(s.start_time) AS first_start,
            string_agg(
                slot_json(s.start_time, s.end_time, mentor.session_duration),
                ',' ORDER BY s.start_time
            ) AS slots
        FROM mentor_slots(mentor, period.first_date, period.last_date) AS s -- noqa: RF03
        WHERE mentor.id IS NOT NULL
    ) AS offered
CROSS JOIN LATERAL (
    VALUES (now() + make_interval(mins => coalesce(mentor.minimum_notice_minutes, 0)))
) AS notice (ends);
