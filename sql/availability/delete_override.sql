-- availability.delete_override: delete an override; its day has the weekly windows again.
-- $1 user_id text
-- $2 day     text
-- returns found, and is_past for a day that has passed; no row without a profile
WITH profile AS (
    SELECT
        m.id,
        $2::text::date < (now() AT TIME ZONE m.availability_timezone)::date AS is_past
    FROM mentors AS m
    WHERE m.user_id = $1
),

deleted AS (
    DELETE FROM availability_overrides AS o
    USING profile
    WHERE o.mentor_id = profile.id AND o.day = $2::text::date AND NOT profile.is_past
    RETURNING o.day
)

SELECT
    exists(
        SELECT
        FROM deleted
    ) AS found,
    profile.is_past
FROM profile;
