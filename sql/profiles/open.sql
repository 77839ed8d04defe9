-- profiles.open: lock one's own mentor profile, which comes into being here if there is none.
-- $1 user_id text
-- returns mentor_id, image_url, and image_file, the stored image behind it, or null
INSERT INTO mentors AS profile (user_id, full_name, profile_image_url)
SELECT
    u.id,
    u.name,
    u.picture
FROM users AS u
WHERE u.id = $1
ON CONFLICT (user_id) DO UPDATE
    SET updated_at = now()
RETURNING
    profile.id AS mentor_id,
    profile.profile_image_url AS image_url,
    profile.profile_image_file AS image_file;
