-- requests.accept: accept a pending request; the same statement creates its booking.
-- $1 request_id uuid
-- $2 user_id    text
-- returns body and booking; no row when it is not pending, past, or not this mentor's
WITH mentor AS MATERIALIZED (
    -- Accepts lock the mentor first, so that they wait here and do not deadlock in the exclusion
    -- index of bookings.
    SELECT
        m.id,
        m.default_meeting_link,
        uuidv7() AS booking_id
    FROM requests AS r
    INNER JOIN mentors AS m ON m.id = r.mentor_id
    WHERE r.id = $1 AND m.user_id = $2
    FOR NO KEY UPDATE OF m
),

accepted AS (
    UPDATE requests
    SET
        status = 'accepted',
        booking_id = mentor.booking_id,
        location = coalesce(requests.location, mentor.default_meeting_link)
    FROM mentor
    WHERE
        requests.id = $1
        AND requests.mentor_id = mentor.id
        AND requests.status = 'pending'
        AND requests.start_time > now()
    RETURNING requests AS r, act_for($2) AS actor
),

booked AS (
    INSERT INTO bookings (
        id, request_id, mentor_id, mentee_id, topic, message,
        start_time, end_time, location, status, session_rate, session_currency
    )
    SELECT
        mentor.booking_id,
        (accepted.r).id,
        mentor.id,
        (accepted.r).mentee_id,
        (accepted.r).topic,
        (accepted.r).message,
        (accepted.r).start_time,
        (accepted.r).end_time,
        (accepted.r).location,
        'confirmed',
        (accepted.r).session_rate,
        (accepted.r).session_currency
    FROM accepted
    CROSS JOIN mentor
    RETURNING bookings AS b
)

SELECT
    request.body,
    booking.body AS booking
FROM accepted
CROSS JOIN booked
CROSS JOIN
    LATERAL request_json(
        accepted.r, booked.b, (accepted.r).start_time, (accepted.r).end_time
    ) AS request
CROSS JOIN LATERAL session_json(booked.b, NULL) AS booking;
