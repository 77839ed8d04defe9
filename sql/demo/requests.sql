-- demo.requests: requests that no session came of.
-- $1 requests jsonb
-- returns nothing
INSERT INTO requests (
    id, mentor_id, mentee_id, topic, message, start_time, end_time, location,
    session_rate, session_currency, status, rejection_reason, created_at, updated_at
)
SELECT
    coalesce(r.id, uuidv7()),
    m.id,
    r.mentee,
    r.topic,
    r.message,
    r.start_time,
    r.start_time + make_interval(mins => m.session_duration),
    m.default_meeting_link,
    m.session_rate,
    m.session_currency,
    r.status,
    r.reason,
    r.asked_at,
    r.answered_at
FROM
    jsonb_to_recordset($1::jsonb)
        AS r (
            id uuid, mentor text, mentee text, topic text, message text, start_time timestamptz,
            status text, reason text, asked_at timestamptz, answered_at timestamptz
        )
INNER JOIN mentors AS m ON m.user_id = r.mentor;
