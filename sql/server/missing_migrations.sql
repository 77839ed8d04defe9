-- server.missing_migrations: what the code expects and the database has not had.
-- $1 migration_ids text[]
-- returns missing, an array that is empty when the schema is at the level of the code
SELECT coalesce(array_agg(wanted.id ORDER BY wanted.id), '{}') AS missing
FROM unnest($1::text[]) AS wanted (id)
WHERE NOT EXISTS (
    SELECT
    FROM _yoyo_migration AS had
    WHERE had.migration_id = wanted.id
);
