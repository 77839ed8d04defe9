-- idempotency.find: the response kept under a key.
-- $1 user_id     text
-- $2 route       text
-- $3 key         text
-- $4 fingerprint bytea
-- returns same_body, status, location and body; no row when there is none of the last 24 hours
SELECT
    fingerprint = $4 AS same_body,
    status,
    location,
    answer AS body
FROM idempotency_keys
WHERE
    user_id = $1
    AND route = $2
    AND key = $3
    AND created_at > now() - interval '24 hours';
