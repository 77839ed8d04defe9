-- requests.show: a request, for its parties.
-- $1 request_id uuid
-- $2 user_id    text
-- returns body and is_party; no row when there is no such request
SELECT
    s.body,
    $2 IN (r.mentee_id, m.user_id) AS is_party
FROM requests AS r
INNER JOIN mentors AS m ON m.id = r.mentor_id
LEFT JOIN bookings AS b ON b.id = r.booking_id
CROSS JOIN LATERAL request_json(r, b, r.start_time, r.end_time) AS s
WHERE r.id = $1;
