-- mentors.list: a page of the public mentors, best first.
-- Its views stand in the order in which `migrate` replaces them. In the opposite order this
-- statement and `migrate` could deadlock.
-- $1 limit  bigint
-- $2 offset bigint
-- returns items, a JSON array of mentor cards, and total
SELECT
    (
        SELECT coalesce(json_agg(page.body), '[]')
        FROM (
            SELECT body
            FROM mentor_list
            WHERE visibility = 'public'
            ORDER BY rating DESC NULLS LAST, review_count DESC, total_sessions DESC, id ASC
            LIMIT $1 OFFSET $2
        ) AS page
    ) AS items,
    (
        SELECT mentors
        FROM public_mentor_count
    ) AS total;
