-- availability.delete_window: delete a weekly window of a mentor.
-- $1 user_id   text
-- $2 window_id uuid
-- returns found; no row without a profile
WITH profile AS (
    SELECT m.id
    FROM mentors AS m
    WHERE m.user_id = $1
    -- Every writer of windows locks the mentor first, then the windows.
    FOR NO KEY UPDATE
),

deleted AS (
    DELETE FROM availability_windows AS w
    USING profile
    WHERE w.id = $2 AND w.mentor_id = profile.id
    RETURNING w.id
)

SELECT
    exists(
        SELECT
        FROM deleted
    ) AS found
FROM profile;
