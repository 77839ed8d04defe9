-- availability.clear: drop all weekly windows of a mentor.
-- $1 mentor_id uuid
-- returns windows, those that were dropped, as a JSON array
WITH gone AS (
    DELETE FROM availability_windows
    WHERE mentor_id = $1
    RETURNING id, day_of_week, start_time, end_time
)

SELECT
    coalesce(json_agg(
        json_build_object(
            'id', gone.id,
            'dayOfWeek', gone.day_of_week,
            'startTime', to_char(gone.start_time, 'HH24:MI'),
            'endTime', to_char(gone.end_time, 'HH24:MI')
        )
    ), '[]') AS windows
FROM gone;
