-- demo.sessions: sessions, the requests they came of, and the reviews they got.
-- $1 sessions jsonb
-- returns nothing
WITH given AS MATERIALIZED (
    SELECT
        s.mentee,
        s.topic,
        s.message,
        s.asked_for,
        s.start_time,
        s.status,
        s.reason,
        s.cancelled_by,
        s.rating,
        s.comment,
        s.asked_at,
        s.answered_at,
        s.settled_at,
        s.reviewed_at,
        m.id AS mentor_id,
        m.default_meeting_link,
        m.session_rate,
        m.session_currency,
        make_interval(mins => m.session_duration) AS duration,
        coalesce(s.id, uuidv7()) AS booking_id,
        -- Without one the session was made by hand.
        CASE WHEN s.asked_for IS NOT NULL THEN uuidv7() END AS request_id
    FROM
        jsonb_to_recordset($1::jsonb)
            AS s (
                id uuid, mentor text, mentee text, topic text, message text,
                asked_for timestamptz, start_time timestamptz, status text, reason text,
                cancelled_by text, rating smallint, comment text, asked_at timestamptz,
                answered_at timestamptz, settled_at timestamptz, reviewed_at timestamptz
            )
    INNER JOIN mentors AS m ON m.user_id = s.mentor
),

asked AS (
    INSERT INTO requests (
        id, mentor_id, mentee_id, topic, message, start_time, end_time, location,
        session_rate, session_currency, status, booking_id, created_at, updated_at
    )
    SELECT
        given.request_id,
        given.mentor_id,
        given.mentee,
        given.topic,
        given.message,
        given.asked_for,
        given.asked_for + given.duration,
        given.default_meeting_link,
        given.session_rate,
        given.session_currency,
        'accepted',
        given.booking_id,
        given.asked_at,
        given.answered_at
    FROM given
    WHERE given.request_id IS NOT NULL
),

booked AS (
    INSERT INTO bookings (
        id, request_id, mentor_id, mentee_id, topic, message, start_time, end_time, location,
        status, cancellation_reason, cancelled_by, session_rate, session_currency,
        created_at, updated_at
    )
    SELECT
        given.booking_id,
        given.request_id,
        given.mentor_id,
        given.mentee,
        given.topic,
        given.message,
        given.start_time,
        given.start_time + given.duration,
        given.default_meeting_link,
        given.status,
        given.reason,
        given.cancelled_by,
        given.session_rate,
        given.session_currency,
        given.answered_at,
        given.settled_at
    FROM given
)

INSERT INTO reviews (booking_id, mentor_id, mentee_id, rating, comment, created_at)
SELECT
    given.booking_id,
    given.mentor_id,
    given.mentee,
    given.rating,
    given.comment,
    given.reviewed_at
FROM given
WHERE given.rating IS NOT NULL;
