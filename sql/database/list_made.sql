-- database.list_made: the functions, views and triggers that this transaction has made or replaced.
-- returns objects, each as DROP names it, the latest first
SELECT coalesce(array_agg(o.type || ' ' || o.identity ORDER BY m.id DESC), '{}') AS objects
FROM (
    SELECT
        'pg_proc'::regclass AS catalog,
        oid AS id
    FROM pg_proc
    WHERE xmin = pg_current_xact_id()::xid
    UNION ALL
    SELECT
        'pg_class'::regclass AS catalog,
        ev_class AS id
    FROM pg_rewrite
    WHERE xmin = pg_current_xact_id()::xid
    UNION ALL
    SELECT
        'pg_trigger'::regclass AS catalog,
        oid AS id
    FROM pg_trigger
    WHERE xmin = pg_current_xact_id()::xid AND NOT tgisinternal
) AS m
CROSS JOIN LATERAL pg_identify_object(m.catalog, m.id, 0) AS o;
