-- idempotency.keep: keep a response under a key, in the place of one that has expired.
-- $1 user_id     text
-- $2 route       text
-- $3 key         text
-- $4 fingerprint bytea
-- $5 status      integer
-- $6 location    text
-- $7 body        text
-- returns nothing
INSERT INTO idempotency_keys AS kept (
    user_id, route, key, fingerprint, status, location, answer, created_at
)
VALUES ($1, $2, $3, $4, $5, $6, $7, now())
ON CONFLICT (user_id, route, key) DO UPDATE
    SET
        fingerprint = excluded.fingerprint,
        status = excluded.status,
        location = excluded.location,
        answer = excluded.answer,
        created_at = excluded.created_at;
