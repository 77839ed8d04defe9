-- demo.landmarks: how much there is, and ids to go on with.
-- $1 mentor text
-- $2 mentee text
-- returns mentors, mentees, sessions, reviews, mentor_id, and request_id, what one asks the other
SELECT
    (
        SELECT count(*)
        FROM mentors
    ) AS mentors,
    (
        SELECT count(*)
        FROM users AS u
        WHERE EXISTS (
            SELECT
            FROM requests AS r
            WHERE r.mentee_id = u.id
        )
    ) AS mentees,
    (
        SELECT count(*)
        FROM bookings
    ) AS sessions,
    (
        SELECT count(*)
        FROM reviews
    ) AS reviews,
    m.id AS mentor_id,
    r.id AS request_id
FROM mentors AS m
INNER JOIN requests AS r ON r.mentor_id = m.id
WHERE m.user_id = $1 AND r.mentee_id = $2 AND r.status = 'pending';
