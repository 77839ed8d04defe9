-- Mentors as everybody sees them.
--
-- The functions that make JSON return tables so that the planner inlines them.

-- A mentor in GET /mentors.
CREATE OR REPLACE FUNCTION mentor_card(m mentors) RETURNS TABLE (body json)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT row_to_json(fields)
    FROM (
        SELECT
            m.id,
            m.user_id AS "userId",
            m.full_name AS "fullName",
            image_url(m) AS "profileImageUrl",
            m.headline,
            m.bio,
            m.expertise,
            m.location,
            m.session_duration AS "sessionDuration",
            m.timezone,
            trim_scale(m.session_rate) AS "sessionRate",
            m.session_currency AS "sessionCurrency",
            m.rating,
            m.review_count AS "totalReviews",
            m.total_sessions AS "totalSessions"
    ) AS fields
$$;

-- GET /mentors/:id.
CREATE OR REPLACE FUNCTION mentor_page(m mentors) RETURNS TABLE (body json)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT row_to_json(fields)
    FROM (
        SELECT
            m.id,
            m.user_id AS "userId",
            m.full_name AS "fullName",
            image_url(m) AS "profileImageUrl",
            m.headline,
            m.bio,
            m.expertise,
            m.languages,
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
    ) AS fields
$$;

CREATE OR REPLACE VIEW mentor_list AS
SELECT
    m.id,
    m.visibility,
    m.rating,
    m.review_count,
    m.total_sessions,
    s.body
FROM mentors AS m
CROSS JOIN LATERAL mentor_card(m) AS s;
