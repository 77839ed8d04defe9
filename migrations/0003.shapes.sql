-- What clients see of a row: one function per resource, used by every statement that answers with
-- one. They return tables so that the planner inlines them.
-- depends: 0002.rules

-- RFC 3339 in UTC, without a fraction where there is none.
CREATE OR REPLACE FUNCTION iso(instant timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT rtrim(rtrim(
        to_char(instant AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), '0'
    ), '.') || 'Z'
$$;

CREATE OR REPLACE FUNCTION minutes_between(start_time timestamptz, end_time timestamptz)
RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT (extract(EPOCH FROM end_time - start_time) / 60)::integer $$;

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

CREATE OR REPLACE FUNCTION party(u users) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT json_build_object('id', u.id, 'name', u.name, 'avatar', u.picture) $$;

CREATE OR REPLACE FUNCTION request_shape(r requests) RETURNS TABLE (body json)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT row_to_json(shape)
    FROM (
        SELECT
            r.id,
            r.mentor_id AS "mentorId",
            r.mentee_id AS "menteeId",
            r.topic,
            r.message,
            to_char(r.start_time AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS "scheduledDate",
            to_char(r.start_time AT TIME ZONE 'UTC', 'HH24:MI') AS "scheduledTime",
            minutes_between(r.start_time, r.end_time) AS duration,
            r.location,
            iso(r.start_time) AS "startTime",
            iso(r.end_time) AS "endTime",
            r.status,
            r.rejection_reason AS "rejectionReason",
            r.booking_id AS "bookingId",
            party(m) AS mentor,
            party(u) AS mentee,
            iso(r.created_at) AS "createdAt",
            iso(r.updated_at) AS "updatedAt"
        FROM mentors AS m
        CROSS JOIN users AS u
        WHERE m.id = r.mentor_id AND u.id = r.mentee_id
    ) AS shape
$$;

-- The review is handed in: one written by the same statement is not yet to be seen in its table.
CREATE OR REPLACE FUNCTION session_shape(b bookings, v reviews) RETURNS TABLE (body json)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT row_to_json(shape)
    FROM (
        SELECT
            b.id,
            b.request_id AS "requestId",
            b.mentor_id AS "mentorId",
            b.mentee_id AS "menteeId",
            b.topic,
            b.message,
            iso(b.start_time) AS "startTime",
            iso(b.end_time) AS "endTime",
            minutes_between(b.start_time, b.end_time) AS duration,
            b.location,
            b.status,
            b.cancellation_reason AS "cancellationReason",
            b.cancelled_by AS "cancelledBy",
            trim_scale(b.session_rate) AS "sessionRate",
            b.session_currency AS "sessionCurrency",
            party(m) AS mentor,
            party(u) AS mentee,
            CASE
                WHEN v.id IS NOT NULL THEN json_build_object(
                    'id', v.id,
                    'rating', v.rating,
                    'comment', v.comment,
                    'createdAt', iso(v.created_at)
                )
            END AS review,
            iso(b.created_at) AS "createdAt",
            iso(b.updated_at) AS "updatedAt"
        FROM mentors AS m
        CROSS JOIN users AS u
        WHERE m.id = b.mentor_id AND u.id = b.mentee_id
    ) AS shape
$$;

-- A review as everybody sees it, and as its two sides do.
CREATE OR REPLACE FUNCTION review_shape(v reviews) RETURNS TABLE (body json, own json)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT
        json_build_object(
            'id', v.id,
            'rating', v.rating,
            'comment', v.comment,
            'mentee', party(u),
            'createdAt', iso(v.created_at)
        ),
        json_build_object(
            'id', v.id,
            'sessionId', v.booking_id,
            'rating', v.rating,
            'comment', v.comment,
            'mentor', party(m),
            'mentee', party(u),
            'createdAt', iso(v.created_at)
        )
    FROM mentors AS m
    CROSS JOIN users AS u
    WHERE m.id = v.mentor_id AND u.id = v.mentee_id
$$;

-- What a mentor can be booked for; `slots` are the weekly windows.
CREATE OR REPLACE FUNCTION availability_shape(m mentors) RETURNS TABLE (body json)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT json_build_object(
        'sessionDuration', m.session_duration,
        'bufferTime', m.buffer_time,
        'timezone', m.timezone,
        'defaultMeetingLink', m.default_meeting_link,
        'slots', coalesce((
            SELECT
                json_agg(
                    json_build_object(
                        'id', w.id,
                        'dayOfWeek', w.day_of_week,
                        'startTime', to_char(w.start_time, 'HH24:MI'),
                        'endTime', to_char(w.end_time, 'HH24:MI')
                    )
                    ORDER BY w.day_of_week, w.start_time
                )
            FROM availability_windows AS w
            WHERE w.mentor_id = m.id
        ), '[]')
    )
$$;

-- For the statements that are composed from a client's filters.
CREATE OR REPLACE VIEW request_list AS
SELECT
    r.id,
    r.mentor_id,
    r.mentee_id,
    r.status,
    r.created_at,
    s.body
FROM requests AS r
CROSS JOIN LATERAL request_shape(r) AS s;

CREATE OR REPLACE VIEW session_list AS
SELECT
    b.id,
    b.mentor_id,
    b.mentee_id,
    b.status,
    b.start_time,
    s.body
FROM bookings AS b
LEFT JOIN reviews AS v ON v.booking_id = b.id
CROSS JOIN LATERAL session_shape(b, v) AS s;

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

-- The LIKE pattern for texts that contain these words; %, _ and \ are letters like any other.
CREATE OR REPLACE FUNCTION containing(words text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT '%' || regexp_replace(fold(words), '([\\%_])', '\\\1', 'g') || '%' $$;

-- The same for a word with two neighbouring letters swapped, one pattern for each pair: the slip
-- that leaves the fewest trigrams of a word.
CREATE OR REPLACE FUNCTION containing_swapped(word text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT array_agg(containing(overlay(word PLACING reverse(substr(word, i, 2)) FROM i FOR 2)))
    FROM generate_series(1, char_length(word) - 1) AS i
$$;

-- The words of profiles that a word of a search may mean: those that it is a part of (`exact`), and
-- those that it is like (above pg_trgm.word_similarity_threshold). Of short words too many are.
CREATE OR REPLACE FUNCTION search_meaning(asked text)
RETURNS TABLE (word text, likeness real, exact boolean)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    WITH a AS MATERIALIZED (
        SELECT
            fold(asked) AS folded,
            containing(asked) AS pattern,
            containing_swapped(asked) AS swapped,
            char_length(regexp_replace(asked, '[^[:alnum:]]', '', 'g')) AS letters
    )

    SELECT
        v.word,
        similarity(a.folded, v.word),
        v.word LIKE a.pattern
    FROM a
    INNER JOIN search_vocabulary AS v
        ON
            v.word LIKE a.pattern
            OR (a.letters >= 4 AND a.folded <% v.word)
            OR (a.letters >= 5 AND v.word LIKE ANY (a.swapped))
$$;
