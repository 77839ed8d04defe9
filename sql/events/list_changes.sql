-- events.list_changes: a page of changes of a request or a session, oldest first, for its parties.
-- $1 request_id uuid
-- $2 session_id uuid
-- $3 user_id    text
-- $4 limit      bigint
-- $5 offset     bigint
-- returns is_party, total and items, a JSON array; no row when there is no such request or session.
-- One of the two ids is null.
WITH subject AS (
    SELECT
        r.id,
        r.mentor_id,
        r.mentee_id
    FROM requests AS r
    WHERE r.id = $1
    UNION ALL
    SELECT
        b.id,
        b.mentor_id,
        b.mentee_id
    FROM bookings AS b
    WHERE b.id = $2
)

SELECT
    $3 IN (subject.mentee_id, m.user_id) AS is_party,
    (
        SELECT count(*)
        FROM events AS e
        WHERE e.object_id = subject.id AND e.is_history
    ) AS total,
    (
        SELECT coalesce(json_agg(page.body), '[]')
        FROM (
            SELECT s.body
            FROM events AS e
            CROSS JOIN LATERAL change_json(e, m.user_id) AS s
            WHERE e.object_id = subject.id AND e.is_history
            ORDER BY e.id
            LIMIT $4 OFFSET $5
        ) AS page
    ) AS items
FROM subject
INNER JOIN mentors AS m ON m.id = subject.mentor_id;
