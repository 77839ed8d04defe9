-- What the roles of roles.sql may do with each table. Run this file after every `run.py migrate`,
-- as the migrator. It can be run again at any time.
--
-- The server may do what the statements in sql/ and the triggers do, and nothing else. It cannot
-- change the schema, and it can neither change nor delete a row of the history.
DO $$
DECLARE
    stray record;
BEGIN
    SELECT
        c.relname AS name,
        pg_get_userbyid(c.relowner) AS owner
    INTO stray
    FROM pg_class AS c
    WHERE
        c.relnamespace = 'public'::regnamespace
        AND c.relkind IN ('r', 'v')
        AND c.relowner <> 'mentorapi_owner'::regrole
        AND NOT EXISTS (
            SELECT FROM pg_depend AS d
            WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
        )
    ORDER BY c.relname
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'table % belongs to %, not to mentorapi_owner', stray.name, stray.owner
        USING HINT = format(
            'As a superuser: ALTER ROLE %1$I SET role = ''mentorapi_owner'';'
            ' REASSIGN OWNED BY %1$I TO mentorapi_owner;',
            stray.owner
        );
    END IF;
END
$$;

REVOKE ALL ON ALL TABLES IN SCHEMA public FROM mentorapi_server;
GRANT SELECT, INSERT, UPDATE ON users, mentors, requests, bookings TO mentorapi_server;
GRANT SELECT, INSERT, DELETE ON availability_windows TO mentorapi_server;
GRANT SELECT, INSERT, UPDATE, DELETE ON availability_overrides, time_off TO mentorapi_server;
GRANT SELECT, INSERT ON reviews TO mentorapi_server;
GRANT SELECT, INSERT, DELETE ON mentor_starts TO mentorapi_server;
GRANT SELECT, INSERT, DELETE ON search_vocabulary TO mentorapi_server;
GRANT SELECT, INSERT, UPDATE, DELETE ON search_postings TO mentorapi_server;
GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_keys TO mentorapi_server;
GRANT SELECT, INSERT ON events TO mentorapi_server;
GRANT SELECT ON request_list, session_list, mentor_list TO mentorapi_server;
GRANT SELECT ON search_bitmaps, public_mentor_count TO mentorapi_server;
-- The sweep locks the rows that it reads here.
GRANT SELECT, UPDATE ON due_sessions TO mentorapi_server;
-- Whether schema and functions are those of the code.
GRANT SELECT ON _yoyo_migration, applied_functions TO mentorapi_server;

GRANT SELECT ON ALL TABLES IN SCHEMA public TO mentorapi_reader;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO mentorapi_reader;
