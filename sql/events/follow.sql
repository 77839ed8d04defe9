-- events.follow: the events after a position, in the order of their transactions.
-- Only those of transactions before the oldest one that still runs: so a transaction that commits
-- late never adds an event before a position that a reader has passed.
-- $1 after_xid text
-- $2 after_id  bigint
-- $3 limit     bigint
-- returns items, a JSON array
-- The two parts of an id, as in 7340-12, are the position behind its event.
SELECT coalesce(json_agg(page.body), '[]') AS items
FROM (
    SELECT s.body
    FROM events AS e
    CROSS JOIN LATERAL event_json(e) AS s
    WHERE
        (e.xid, e.id) > ($1::text::xid8, $2)
        AND e.xid < pg_snapshot_xmin(pg_current_snapshot())
        AND e.mentor_id IS NOT NULL
    ORDER BY e.xid, e.id
    LIMIT $3
) AS page;
