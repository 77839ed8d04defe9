-- users.remember: keep what a token says of its user; what it leaves out stays as it was.
-- $1 user_id text
-- $2 name    text
-- $3 email   text
-- $4 picture text
-- returns nothing
INSERT INTO users AS known (id, name, email, picture)
VALUES ($1, $2, $3, $4)
ON CONFLICT (id) DO UPDATE
    SET
        name = coalesce(excluded.name, known.name),
        email = coalesce(excluded.email, known.email),
        picture = coalesce(excluded.picture, known.picture),
        updated_at = now()
    WHERE (known.name, known.email, known.picture) IS DISTINCT FROM (
        coalesce(excluded.name, known.name),
        coalesce(excluded.email, known.email),
        coalesce(excluded.picture, known.picture)
    );
