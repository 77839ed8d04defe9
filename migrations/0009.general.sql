-- Instants have no fraction or exactly three digits, which is what every client's parser takes.
-- Users keep when the token was issued that their name came from: an older one changes nothing.
-- Idempotency keys belong to a route, not to a path, whose length the client chooses.
-- depends: 0008.search

-- RFC 3339 in UTC; milliseconds only where there are some.
CREATE OR REPLACE FUNCTION iso(instant timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT replace(
        to_char(instant AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS'), '.000', ''
    ) || 'Z'
$$;

-- The `iat` of the token that name, email and picture came from, in seconds since 1970. Null: it
-- had none, and counts as older than any other.
ALTER TABLE users ADD COLUMN IF NOT EXISTS claims_issued_at bigint;

COMMENT ON COLUMN idempotency_keys.route IS 'method and path template';
COMMENT ON COLUMN idempotency_keys.fingerprint IS 'SHA-256 of the path''s ids and the body';

-- Kept under a path, they would never be found again.
DELETE FROM idempotency_keys
WHERE route <> 'POST /api/requests';
