-- mentors.show: a public mentor.
-- $1 mentor_id uuid
-- returns body; no row when there is no such public mentor
SELECT page.body
FROM mentors AS m
CROSS JOIN LATERAL mentor_page(m) AS page
WHERE m.id = $1 AND m.visibility = 'public';
