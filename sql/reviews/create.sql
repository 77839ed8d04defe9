-- reviews.create: the mentee reviews a completed session.
-- $1 session_id uuid
-- $2 user_id    text
-- $3 rating     smallint
-- $4 comment    text
-- returns body, the session; no row when it is not completed or not this mentee's
WITH reviewed AS (
    INSERT INTO reviews (booking_id, mentor_id, mentee_id, rating, comment)
    SELECT
        b.id,
        b.mentor_id,
        b.mentee_id,
        $3,
        $4
    FROM bookings AS b
    WHERE b.id = $1 AND b.mentee_id = $2 AND b.status = 'completed'
    RETURNING reviews AS v
)

SELECT s.body
FROM reviewed
INNER JOIN bookings AS b ON b.id = (reviewed.v).booking_id
CROSS JOIN LATERAL session_json(b, reviewed.v) AS s;
