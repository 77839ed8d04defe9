COMMENT ON COLUMN idempotency_keys.fingerprint IS NULL;
COMMENT ON COLUMN idempotency_keys.route IS NULL;
DELETE FROM idempotency_keys
WHERE route <> 'POST /api/requests';
ALTER TABLE users DROP COLUMN claims_issued_at;

CREATE OR REPLACE FUNCTION iso(instant timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT rtrim(rtrim(
        to_char(instant AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), '0'
    ), '.') || 'Z'
$$;
