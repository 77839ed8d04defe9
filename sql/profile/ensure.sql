-- profile.ensure: lock a user's mentor profile; create it if it is missing.
-- $1 user_id text
-- returns mentor_id, and image_file, the name of the uploaded image, or null
WITH known AS (
    SELECT
        m.id,
        m.profile_image_file
    FROM mentors AS m
    WHERE m.user_id = $1
    FOR NO KEY UPDATE
),

-- Each attempt to insert takes a number, and with it a bit of the search index.
opened AS (
    INSERT INTO mentors (user_id, full_name, profile_image_url)
    SELECT
        u.id,
        u.name,
        u.picture
    FROM users AS u
    WHERE
        u.id = $1
        AND NOT EXISTS (
            SELECT
            FROM known
        )
    -- Keeps the name and the picture: users_rename_profile() of another transaction does not see
    -- the new profile.
    FOR SHARE
    ON CONFLICT (user_id) DO UPDATE
        SET updated_at = now()
    RETURNING
        id,
        profile_image_file
)

SELECT
    id AS mentor_id,
    profile_image_file AS image_file
FROM known
UNION ALL
SELECT
    id,
    profile_image_file
FROM opened;
