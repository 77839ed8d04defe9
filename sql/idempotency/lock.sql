-- idempotency.lock: lock a key until the transaction ends, or say that another one holds it.
-- $1 user_id text
-- $2 route   text
-- $3 key     text
-- returns locked, false when another request with this key is under way
SELECT pg_try_advisory_xact_lock(
    hashtextextended(concat_ws(E'\n', $1::text, $2::text, $3::text), 0)
) AS locked;
