-- availability.add_time_off: take time off, from one instant to another or in whole days.
-- $1 user_id    text
-- $2 starts_at  timestamptz
-- $3 ends_at    timestamptz
-- $4 start_date text
-- $5 end_date   text
-- $6 note       text
-- returns is_past (it has ended) and is_far (it begins in more than two years); time_off_id and
-- body, which are valid only if both are false; no row without a profile
WITH profile AS MATERIALIZED (
    SELECT
        m.id,
        coalesce($3, day_start($5::text::date + 1, m.availability_timezone)) <= now() AS is_past,
        coalesce($2, day_start($4::text::date, m.availability_timezone))
        > now() + interval '2 years' AS is_far
    FROM mentors AS m
    WHERE m.user_id = $1
),

added AS (
    INSERT INTO time_off (mentor_id, starts_at, ends_at, start_date, end_date, note)
    SELECT
        profile.id,
        -- Responses show milliseconds.
        date_trunc('milliseconds', $2::timestamptz),
        date_trunc('milliseconds', $3::timestamptz),
        $4::text::date,
        $5::text::date,
        $6
    FROM profile
    WHERE NOT profile.is_past AND NOT profile.is_far
    RETURNING time_off AS t
),

conflicts AS (
    SELECT
        'session' AS object,
        b.id,
        b.status,
        b.start_time,
        b.end_time,
        b.mentee_id
    FROM added
    INNER JOIN bookings AS b
        ON
            b.mentor_id = (added.t).mentor_id
            AND b.live
            AND occupied(b.start_time, b.end_time, b.buffer_time)
            && tstzrange((added.t).starts_at, (added.t).ends_at)
            AND b.end_time > (added.t).starts_at
    UNION ALL
    SELECT
        'request' AS object,
        r.id,
        r.status,
        r.start_time,
        r.end_time,
        r.mentee_id
    FROM added
    INNER JOIN requests AS r
        ON
            r.mentor_id = (added.t).mentor_id
            AND r.status = 'pending'
            AND r.start_time > now()
            AND r.start_time < (added.t).ends_at
            AND r.end_time > (added.t).starts_at
)

SELECT
    profile.is_past,
    profile.is_far,
    (added.t).id AS time_off_id,
    json_build_object(
        'id', (added.t).id,
        'startsAt', iso((added.t).starts_at),
        'endsAt', iso((added.t).ends_at),
        'startDate', (added.t).start_date,
        'endDate', (added.t).end_date,
        'note', (added.t).note,
        'conflicts', coalesce((
            SELECT
                json_agg(
                    json_build_object(
                        'object', c.object,
                        'id', c.id,
                        'status', c.status,
                        'startTime', iso(c.start_time),
                        'endTime', iso(c.end_time),
                        'mentee', party(u)
                    )
                    ORDER BY c.start_time, c.id
                )
            FROM conflicts AS c
            INNER JOIN users AS u ON u.id = c.mentee_id
        ), '[]')
    ) AS body
FROM profile
LEFT JOIN added ON TRUE;
