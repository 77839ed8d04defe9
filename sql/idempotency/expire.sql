-- idempotency.expire: forget the keys that nobody may use again.
-- returns forgotten, how many there were
WITH gone AS (
    DELETE FROM idempotency_keys
    WHERE created_at <= now() - interval '24 hours'
    RETURNING key
)

SELECT count(*) AS forgotten
FROM gone;
