-- availability.delete_time_off: delete time off of a mentor.
-- $1 user_id     text
-- $2 time_off_id uuid
-- returns found; no row without a profile
WITH profile AS (
    SELECT m.id
    FROM mentors AS m
    WHERE m.user_id = $1
),

deleted AS (
    DELETE FROM time_off AS t
    USING profile
    WHERE t.id = $2 AND t.mentor_id = profile.id
    RETURNING t.id
)

SELECT
    exists(
        SELECT
        FROM deleted
    ) AS found
FROM profile;
