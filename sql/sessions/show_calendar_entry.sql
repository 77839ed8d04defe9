-- sessions.show_calendar_entry: a session as an entry in the calendar of one of its parties.
-- $1 session_id uuid
-- $2 user_id    text
-- returns id, sequence, status (one of iCalendar's), topic, message, location, start_time,
-- end_time, created_at, updated_at, other_party (a name, or "your mentor" or "your mentee"),
-- issued_at and is_party; no row when there is no such session
SELECT
    b.id,
    b.calendar_sequence AS sequence,
    calendar_status(b.status) AS status,
    b.topic,
    b.message,
    b.location,
    b.start_time,
    b.end_time,
    b.created_at,
    b.updated_at,
    CASE
        WHEN $2 = m.user_id THEN coalesce(u.name, 'your mentee')
        ELSE coalesce(m.full_name, 'your mentor')
    END AS other_party,
    now() AS issued_at,
    $2 IN (b.mentee_id, m.user_id) AS is_party
FROM bookings AS b
INNER JOIN mentors AS m ON m.id = b.mentor_id
INNER JOIN users AS u ON u.id = b.mentee_id
WHERE b.id = $1;
