-- sessions.show: a session, for its parties.
-- $1 session_id uuid
-- $2 user_id    text
-- returns body and is_party; no row when there is no such session
SELECT
    s.body,
    $2 IN (b.mentee_id, m.user_id) AS is_party
FROM bookings AS b
INNER JOIN mentors AS m ON m.id = b.mentor_id
LEFT JOIN reviews AS v ON v.booking_id = b.id
CROSS JOIN LATERAL session_json(b, v) AS s
WHERE b.id = $1;
