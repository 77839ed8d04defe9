-- demo.look: whether the database is empty, and its clock. Everything in it hangs on somebody.
-- returns is_empty and now
SELECT
    NOT EXISTS (
        SELECT
        FROM users
    ) AS is_empty,
    now() AS now;
