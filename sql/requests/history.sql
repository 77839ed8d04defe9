-- requests.history: a page of the changes of a request's state, oldest first, for its parties.
-- $1 request_id uuid
-- $2 user_id    text
-- $3 limit      bigint
-- $4 offset     bigint
-- returns is_party, total and items, a JSON array; no row when there is no such request
SELECT
    $2 IN (r.mentee_id, m.user_id) AS is_party,
    (
        SELECT count(*)
        FROM state_changes AS c
        WHERE c.request_id = r.id
    ) AS total,
    (
        SELECT coalesce(json_agg(page.body), '[]')
        FROM (
            SELECT s.body
            FROM state_changes AS c
            CROSS JOIN LATERAL change_shape(c, m.user_id) AS s
            WHERE c.request_id = r.id
            ORDER BY c.changed_at ASC, c.id ASC
            LIMIT $3 OFFSET $4
        ) AS page
    ) AS items
FROM requests AS r
INNER JOIN mentors AS m ON m.id = r.mentor_id
WHERE r.id = $1;
