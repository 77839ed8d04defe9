-- database.show_state: the migrations that the database lacks, and whether it can write.
-- $1 migration_ids text[]
-- returns missing, an array that is empty when the schema is at the level of the code, and
-- read_only, true on a standby and where default_transaction_read_only is on
SELECT
    current_setting('transaction_read_only') = 'on' AS read_only,
    (
        SELECT coalesce(array_agg(wanted.id ORDER BY wanted.id), '{}')
        FROM unnest($1::text[]) AS wanted (id)
        WHERE NOT EXISTS (
            SELECT
            FROM _yoyo_migration AS had
            WHERE had.migration_id = wanted.id
        )
    ) AS missing;
