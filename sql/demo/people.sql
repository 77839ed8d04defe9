-- demo.people: people, as their tokens would have described them.
-- $1 people jsonb
-- returns nothing
INSERT INTO users (id, name, email, picture, created_at, updated_at)
SELECT
    p.sub,
    p.name,
    p.sub || '@example.com',
    p.picture,
    p.joined_at AS created_at,
    p.joined_at AS updated_at
FROM jsonb_to_recordset($1::jsonb) AS p (
    sub text, name text, picture text, joined_at timestamptz
);
