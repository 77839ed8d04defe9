-- availability.clear: delete all weekly windows of a mentor.
-- $1 mentor_id uuid
-- returns windows, the deleted ones, as a JSON array
WITH deleted AS (
    DELETE FROM availability_windows
    WHERE mentor_id = $1
    RETURNING id, day_of_week, start_time, end_time
)

SELECT
    coalesce(json_agg(
        json_build_object(
            'id', deleted.id,
            'dayOfWeek', deleted.day_of_week,
            'startTime', to_char(deleted.start_time, 'HH24:MI'),
            'endTime', to_char(deleted.end_time, 'HH24:MI')
        )
    ), '[]') AS windows
FROM deleted;
