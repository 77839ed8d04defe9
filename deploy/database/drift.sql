-- Counts every stored figure again and shows where the two differ: no row, no drift. It takes no
-- locks. A write that commits meanwhile does not show as drift, since one statement sees one
-- snapshot.
WITH completed AS (
    SELECT
        mentor_id,
        count(*) AS sessions
    FROM bookings
    WHERE status = 'completed'
    GROUP BY mentor_id
),

reviewed AS (
    SELECT
        mentor_id,
        count(*) AS reviews,
        sum(rating) AS stars
    FROM reviews
    GROUP BY mentor_id
)

SELECT
    'mentors.total_sessions' AS figure,
    m.id::text AS of_row,
    m.total_sessions::text AS kept,
    coalesce(b.sessions, 0)::text AS counted
FROM mentors AS m
LEFT JOIN completed AS b ON b.mentor_id = m.id
WHERE m.total_sessions <> coalesce(b.sessions, 0)
UNION ALL
SELECT
    'mentors.review_count, rating_sum',
    m.id::text,
    concat_ws(', ', m.review_count, m.rating_sum),
    concat_ws(', ', coalesce(v.reviews, 0), coalesce(v.stars, 0))
FROM mentors AS m
LEFT JOIN reviewed AS v ON v.mentor_id = m.id
WHERE (m.review_count, m.rating_sum) <> (coalesce(v.reviews, 0), coalesce(v.stars, 0))
UNION ALL
SELECT
    'search_bitmaps, as of search_postings_recounted',
    concat_ws(
        ' ', coalesce(p.field, r.field), coalesce(p.word, r.word), coalesce(p.block, r.block)
    ),
    bit_count(p.mentors)::text,
    bit_count(r.mentors)::text
FROM search_bitmaps AS p
FULL JOIN search_postings_recounted AS r
    ON r.field = p.field AND r.word = p.word AND r.block = p.block
WHERE p.mentors IS DISTINCT FROM r.mentors
UNION ALL
SELECT
    'search_vocabulary',
    p.word,
    'missing',
    'present'
FROM (
    SELECT DISTINCT p.word
    FROM search_bitmaps AS p
    INNER JOIN search_texts() AS f ON f.field = p.field
    WHERE strpos(p.word, ' ') = 0
) AS p
LEFT JOIN search_vocabulary AS v ON v.word = p.word
WHERE v.word IS NULL
UNION ALL
SELECT
    'mentor_starts, as of possible_starts()',
    coalesce(s.mentor_id, p.mentor_id)::text,
    s.starts::text,
    p.starts::text
FROM mentor_starts AS s
FULL JOIN (
    SELECT
        now.mentor_id,
        now.starts
    FROM mentors AS m
    CROSS JOIN LATERAL possible_starts(m) AS now
) AS p ON p.mentor_id = s.mentor_id
WHERE s.starts IS DISTINCT FROM p.starts
UNION ALL
SELECT
    'requests.booking_id',
    r.id::text,
    r.booking_id::text,
    b.id::text
FROM requests AS r
LEFT JOIN bookings AS b ON b.request_id = r.id
WHERE r.booking_id IS DISTINCT FROM b.id
UNION ALL
SELECT
    'time_off.starts_at, ends_at',
    t.id::text,
    concat_ws(', ', t.starts_at, t.ends_at),
    concat_ws(', ', c.starts_at, c.ends_at)
FROM time_off AS t
INNER JOIN mentors AS m ON m.id = t.mentor_id
CROSS JOIN LATERAL (
    VALUES (
        day_start(t.start_date, m.availability_timezone),
        day_start(t.end_date + 1, m.availability_timezone)
    )
) AS c (starts_at, ends_at)
WHERE t.start_date IS NOT NULL AND (t.starts_at, t.ends_at) <> (c.starts_at, c.ends_at)
UNION ALL
SELECT
    'the last row of the history',
    s.id::text,
    s.status,
    c.status
FROM (
    SELECT
        id,
        status
    FROM requests
    UNION ALL
    SELECT
        id,
        status
    FROM bookings
) AS s
LEFT JOIN LATERAL (
    SELECT e.status
    FROM events AS e
    WHERE e.object_id = s.id AND e.is_history
    ORDER BY e.id DESC
    LIMIT 1
) AS c ON TRUE
WHERE s.status IS DISTINCT FROM c.status;
