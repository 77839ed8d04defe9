-- idempotency.expire: delete keys older than 24 hours, a batch at a time.
-- $1 batch_size bigint
-- returns deleted, how many there were
WITH old AS MATERIALIZED (
    SELECT
        user_id,
        route,
        key
    FROM idempotency_keys
    WHERE created_at <= now() - interval '24 hours'
    ORDER BY created_at
    LIMIT $1
    -- A locked row is being deleted by another process, or its key is used again.
    FOR UPDATE SKIP LOCKED
),

gone AS (
    DELETE FROM idempotency_keys AS kept
    USING old
    WHERE
        kept.user_id = old.user_id
        AND kept.route = old.route
        AND kept.key = old.key
    RETURNING kept.key
)

SELECT count(*) AS deleted
FROM gone;
