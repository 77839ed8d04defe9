-- account.remember: store the claims of a token about its user.
-- A token that is older than that of the stored claims changes nothing; one without iat is older
-- than any other. A claim that the token leaves out stays.
-- $1 user_id   text
-- $2 name      text
-- $3 email     text
-- $4 picture   text
-- $5 issued_at bigint
-- returns name, email, picture and claims_issued_at, as stored now; no row when another transaction
-- stored the same user at this moment
WITH changed AS (
    INSERT INTO users AS known (id, name, email, picture, claims_issued_at)
    VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (id) DO UPDATE
        SET
            name = coalesce(excluded.name, known.name),
            email = coalesce(excluded.email, known.email),
            picture = coalesce(excluded.picture, known.picture),
            claims_issued_at = excluded.claims_issued_at,
            updated_at = now()
        WHERE
        (known.name, known.email, known.picture) IS DISTINCT FROM (
            coalesce(excluded.name, known.name),
            coalesce(excluded.email, known.email),
            coalesce(excluded.picture, known.picture)
        )
        AND (
            known.claims_issued_at IS NULL
            OR excluded.claims_issued_at >= known.claims_issued_at
        )
    RETURNING
        name,
        email,
        picture,
        claims_issued_at
)

SELECT
    name,
    email,
    picture,
    claims_issued_at
FROM changed
UNION ALL
SELECT
    name,
    email,
    picture,
    claims_issued_at
FROM users
WHERE
    id = $1
    AND NOT EXISTS (
        SELECT
        FROM changed
    );
