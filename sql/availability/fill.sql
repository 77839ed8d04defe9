-- availability.fill: insert weekly windows of a mentor; a window whose id is null gets a new id.
-- $1 mentor_id    uuid
-- $2 ids          uuid[]
-- $3 days_of_week smallint[]
-- $4 start_times  text[]
-- $5 end_times    text[]
-- returns nothing
INSERT INTO availability_windows (id, mentor_id, day_of_week, start_time, end_time)
SELECT
    coalesce(w.id, uuidv7()),
    $1,
    w.day_of_week,
    w.start_time::time,
    w.end_time::time
FROM unnest($2::uuid[], $3::smallint[], $4::text[], $5::text[]) AS w (
    id, day_of_week, start_time, end_time
);
