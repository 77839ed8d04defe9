-- availability.set_override: replace the weekly windows of a mentor on one day.
-- $1 user_id     text
-- $2 day         text
-- $3 start_times text[]
-- $4 end_times   text[]
-- returns body, null for a day that has passed; no row without a profile
WITH profile AS (
    SELECT
        m.id,
        (now() AT TIME ZONE m.availability_timezone)::date AS today
    FROM mentors AS m
    WHERE m.user_id = $1
),

saved AS (
    INSERT INTO availability_overrides (mentor_id, day, start_times, end_times)
    SELECT
        profile.id,
        $2::text::date,
        $3::text[]::time[],
        $4::text[]::time[]
    FROM profile
    WHERE $2::text::date >= profile.today
    ON CONFLICT ON CONSTRAINT availability_overrides_pkey
    DO UPDATE SET start_times = excluded.start_times, end_times = excluded.end_times
    RETURNING availability_overrides AS o
)

SELECT s.body
FROM profile
LEFT JOIN saved ON TRUE
LEFT JOIN LATERAL override_json(saved.o) AS s ON saved.o IS NOT NULL;
