-- idempotency.expire: delete some of the keys that have expired.
-- $1 batch_size bigint
-- returns forgotten, how many there were
WITH old AS MATERIALIZED (
    SELECT
        user_id,
        route,
        key
    FROM idempotency_keys
    WHERE created_at <= now() - interval '24 hours'
    ORDER BY created_at
    LIMIT $1
    -- Another process cleans up, or the key is being used anew.
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

SELECT count(*) AS forgotten
FROM gone;
