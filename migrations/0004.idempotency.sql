-- Answers to POSTs that carried an Idempotency-Key, kept for 24 hours. A row is written in the
-- transaction of the effect it tells of.
-- depends: 0003.shapes

CREATE TABLE idempotency_keys (
    user_id text NOT NULL,
    -- method and path
    route text NOT NULL,
    key text NOT NULL,
    -- SHA-256 of the body
    fingerprint bytea NOT NULL,
    status integer NOT NULL,
    location text,
    answer text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (user_id, route, key),
    CONSTRAINT idempotency_keys_user_fkey FOREIGN KEY (user_id) REFERENCES users (id)
);

CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
