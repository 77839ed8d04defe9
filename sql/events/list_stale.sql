-- events.list_stale: the cached responses that have become stale since a snapshot.
-- A row is new when its transaction was not visible in that snapshot: because it had not begun, or
-- because it was running, which finds rows that commit late, without looking at others again.
-- $1 since text
-- returns snapshot, the one of this statement, and topics: ids of mentors, ids of users after
-- `user:`, `lists`, or `all`
-- Without a snapshot there are no topics.
WITH changed AS (
    SELECT
        e.mentor_id,
        e.user_id,
        e.stale
    FROM events AS e
    WHERE
        e.xid >= pg_snapshot_xmax($1::text::pg_snapshot)
        -- Rows of a restored dump may have transactions that this server has not reached.
        AND e.xid < pg_snapshot_xmax(pg_current_snapshot())
        AND e.stale <> 'nothing'
    UNION ALL
    SELECT
        e.mentor_id,
        e.user_id,
        e.stale
    FROM events AS e
    WHERE
        e.xid = any(
            array(
                SELECT pg_snapshot_xip($1::text::pg_snapshot)
            )
        )
        AND e.stale <> 'nothing'
    LIMIT 10001
),

topics AS (
    SELECT
        CASE c.stale
            WHEN 'all' THEN 'all'
            WHEN 'user' THEN 'user:' || c.user_id
            ELSE c.mentor_id::text
        END AS topic
    FROM changed AS c
    UNION
    SELECT 'lists'
    FROM changed AS c
    WHERE c.stale = 'lists'
)

SELECT
    pg_current_snapshot()::text AS snapshot,
    CASE
        WHEN (SELECT count(*) FROM changed) > 10000 THEN '{all}'
        ELSE array(
            SELECT t.topic
            FROM topics AS t
        )
    END AS topics;
