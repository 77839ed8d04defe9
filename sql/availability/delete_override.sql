-- availability.delete_override: give a day of one's own its weekly windows back.
-- $1 user_id text
-- $2 day     text
-- returns found; no row without a profile
WITH profile AS (
    SELECT m.id
    FROM mentors AS m
    WHERE m.user_id = $1
),

deleted AS (
    DELETE FROM availability_overrides AS o
    USING profile
    WHERE o.mentor_id = profile.id AND o.day = $2::text::date
    RETURNING o.day
)

SELECT
    exists(
        SELECT
        FROM deleted
    ) AS found
FROM profile;
