-- requests.create: request a session with a mentor.
-- $1 mentor_id  uuid
-- $2 mentee_id  text
-- $3 topic      text
-- $4 message    text
-- $5 start_time timestamptz
-- $6 duration   integer
-- $7 location   text
-- returns request_id and body; no row when the mentor, the mentee or the time does not allow it
WITH asked AS (
    SELECT
        m AS mentor,
        m.id AS mentor_id,
        $5::timestamptz AS start_time,
        $5::timestamptz + make_interval(
            mins => coalesce($6::integer, m.session_duration)
        ) AS end_time,
        m.session_rate,
        m.session_currency
    FROM mentors AS m
    WHERE m.id = $1 AND m.visibility = 'public' AND m.user_id <> $2
),

expired AS (
    -- An overdue pending request would make requests_one_pending refuse the new one.
    UPDATE requests
    SET status = 'rejected', expired = TRUE, rejection_reason = expiry_reason()
    WHERE
        requests.mentor_id = $1
        AND requests.mentee_id = $2
        AND requests.status = 'pending'
        AND requests.start_time <= now()
    RETURNING requests.id
),

-- The count makes PostgreSQL finish the update before it inserts.
cleared AS (
    SELECT count(*) AS requests
    FROM expired
),

created AS (
    INSERT INTO requests (
        mentor_id, mentee_id, topic, message, start_time, end_time, location,
        session_rate, session_currency
    )
    SELECT
        asked.mentor_id,
        $2,
        $3,
        $4,
        asked.start_time,
        asked.end_time,
        $7,
        asked.session_rate,
        asked.session_currency
    FROM asked
    CROSS JOIN cleared
    WHERE mentor_admits(asked.mentor, asked.start_time, asked.end_time)
    RETURNING requests AS r, act_for($2) AS actor
)

SELECT
    (created.r).id AS request_id,
    s.body
FROM created
CROSS JOIN
    LATERAL request_json(
        created.r, NULL, (created.r).start_time, (created.r).end_time
    ) AS s;
