-- availability.fill: give a mentor these weekly windows.
-- $1 mentor_id    uuid
-- $2 days_of_week smallint[]
-- $3 start_times  text[]
-- $4 end_times    text[]
-- returns nothing
INSERT INTO availability_windows (mentor_id, day_of_week, start_time, end_time)
SELECT
    $1,
    w.day_of_week,
    w.start_time::time,
    w.end_time::time
FROM unnest($2::smallint[], $3::text[], $4::text[]) AS w (day_of_week, start_time, end_time);
