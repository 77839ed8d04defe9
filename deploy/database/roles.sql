-- Roles, extensions and default privileges. Run this file in the service's database before the
-- first `run.py migrate`, as a superuser, or as the owner of the database if that role has
-- CREATEROLE. It needs no tables. It can be run again at any time.
--
-- Then create the logins. The migrator's second line matters: the tables that it creates belong to
-- the group and not to the login.
--
--   CREATE ROLE migrator LOGIN PASSWORD '…' IN ROLE mentorapi_owner;
--   ALTER ROLE migrator SET role = 'mentorapi_owner';
--   CREATE ROLE mentorapi LOGIN PASSWORD '…' IN ROLE mentorapi_server;
--   CREATE ROLE reporter LOGIN PASSWORD '…' IN ROLE mentorapi_reader;
--
-- `run.py migrate` connects as the migrator. grants.sql comes next, as the migrator, too: after the
-- first migration and after each later one. `run.py serve` connects as mentorapi.
DO $$
DECLARE
    group_name text;
BEGIN
    -- owner: owns the tables and migrates them. server: runs the statements in sql/.
    -- reader: reads every row (reports, drift.sql, pg_dump).
    FOREACH group_name IN ARRAY ARRAY['mentorapi_owner', 'mentorapi_server', 'mentorapi_reader']
    LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', group_name);
        EXCEPTION WHEN duplicate_object THEN NULL;
        END;
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), group_name);
    END LOOP;
    -- By default every login of the PostgreSQL server may connect and create temporary tables.
    EXECUTE format('REVOKE CONNECT, TEMPORARY ON DATABASE %I FROM public', current_database());
    -- Only a member may set default privileges below. A superuser counts as one.
    IF NOT pg_has_role('mentorapi_owner', 'USAGE') THEN
        GRANT mentorapi_owner TO CURRENT_USER;
    END IF;
END
$$;

REVOKE CREATE ON SCHEMA public FROM public;
GRANT USAGE, CREATE ON SCHEMA public TO mentorapi_owner;
GRANT USAGE ON SCHEMA public TO mentorapi_server, mentorapi_reader;

-- The migrator may not create extensions. Its migrations find them here.
CREATE EXTENSION IF NOT EXISTS btree_gist WITH SCHEMA public;
CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;
CREATE EXTENSION IF NOT EXISTS unaccent WITH SCHEMA public;

-- A server that runs during a migration can use a new table at once. grants.sql then takes back
-- what the server does not need.
ALTER DEFAULT PRIVILEGES FOR ROLE mentorapi_owner IN SCHEMA public
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO mentorapi_server;
ALTER DEFAULT PRIVILEGES FOR ROLE mentorapi_owner IN SCHEMA public
GRANT SELECT ON TABLES TO mentorapi_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE mentorapi_owner IN SCHEMA public
GRANT SELECT ON SEQUENCES TO mentorapi_reader;
