-- The code before this migration shows what is stored: a path, which works on our own host.
UPDATE mentors
SET profile_image_url = '/api/images/' || profile_image_file
WHERE profile_image_file IS NOT NULL;

COMMENT ON COLUMN mentors.profile_image_url IS NULL;
COMMENT ON COLUMN mentors.profile_image_file IS NULL;

-- A mentor in GET /mentors.
CREATE OR REPLACE FUNCTION mentor_card(m mentors) RETURNS TABLE (body json)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT row_to_json(shape)
    FROM (
        SELECT
            m.id,
            m.user_id AS "userId",
            m.full_name AS "fullName",
            m.profile_image_url AS "profileImageUrl",
            m.headline,
            m.bio,
            m.expertise,
            m.session_duration AS "sessionDuration",
            m.rating,
            m.review_count AS "totalReviews",
            m.total_sessions AS "totalSessions"
    ) AS shape
$$;

-- GET /mentors/:id.
CREATE OR REPLACE FUNCTION mentor_page(m mentors) RETURNS TABLE (body json)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT row_to_json(shape)
    FROM (
        SELECT
            m.id,
            m.user_id AS "userId",
            m.full_name AS "fullName",
            m.profile_image_url AS "profileImageUrl",
            m.headline,
            m.bio,
            m.expertise,
            m.location,
            m.session_duration AS "sessionDuration",
            m.buffer_time AS "bufferTime",
            m.timezone,
            m.default_meeting_link AS "defaultMeetingLink",
            trim_scale(m.session_rate) AS "sessionRate",
            m.session_currency AS "sessionCurrency",
            m.rating,
            m.review_count AS "totalReviews",
            m.total_sessions AS "totalSessions"
    ) AS shape
$$;

-- The profile as its owner sees it.
CREATE OR REPLACE FUNCTION mentor_profile(m mentors) RETURNS TABLE (body json)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT row_to_json(shape)
    FROM (
        SELECT
            m.id,
            m.user_id AS "userId",
            m.full_name AS "fullName",
            m.headline,
            m.bio,
            m.expertise,
            m.location,
            m.profile_image_url AS "profileImageUrl",
            m.links,
            m.session_duration AS "sessionDuration",
            m.buffer_time AS "bufferTime",
            m.timezone,
            m.default_meeting_link AS "defaultMeetingLink",
            trim_scale(m.session_rate) AS "sessionRate",
            m.session_currency AS "sessionCurrency",
            m.visibility
    ) AS shape
$$;

-- A mentor or a mentee inside a request, a session or a review.
CREATE OR REPLACE FUNCTION party(m mentors) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT json_build_object(
        'id', m.id, 'userId', m.user_id, 'name', m.full_name, 'avatar', m.profile_image_url
    )
$$;

-- What stands on a card or orders the cards; generated columns follow from these.
CREATE OR REPLACE TRIGGER mentors_tell_card_changed AFTER UPDATE ON mentors
FOR EACH ROW
WHEN (
    (
        old.user_id, old.full_name, old.profile_image_url, old.headline, old.bio, old.expertise,
        old.session_duration, old.rating_sum, old.review_count, old.total_sessions, old.visibility
    ) IS DISTINCT FROM (
        new.user_id, new.full_name, new.profile_image_url, new.headline, new.bio, new.expertise,
        new.session_duration, new.rating_sum, new.review_count, new.total_sessions, new.visibility
    )
)
EXECUTE FUNCTION tell_lists();

DROP FUNCTION image_url;
