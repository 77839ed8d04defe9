-- Two roles for a database of one's own. Run it in the service's database, as its owner with
-- CREATEROLE or as a superuser, after `run.py migrate`; run it again after a migration that adds
-- tables. Then make logins that inherit from them:
--
--   CREATE ROLE migrator LOGIN PASSWORD '…' IN ROLE mentorapi_owner;
--   CREATE ROLE mentorapi LOGIN PASSWORD '…' IN ROLE mentorapi_server;
--
-- `run.py migrate` connects as the first, `run.py serve` as the second: it may do what the
-- statements in sql/ do and nothing else. It can't change the schema, and of the history it can
-- neither change nor delete a row.
DO $$
BEGIN
    CREATE ROLE mentorapi_owner NOLOGIN;
EXCEPTION WHEN duplicate_object THEN NULL;
END
$$;

DO $$
BEGIN
    CREATE ROLE mentorapi_server NOLOGIN;
EXCEPTION WHEN duplicate_object THEN NULL;
END
$$;

REVOKE CREATE ON SCHEMA public FROM public;
GRANT USAGE, CREATE ON SCHEMA public TO mentorapi_owner;
GRANT USAGE ON SCHEMA public TO mentorapi_server;

REVOKE ALL ON ALL TABLES IN SCHEMA public FROM mentorapi_server;
GRANT SELECT, INSERT, UPDATE ON users, mentors, requests, bookings TO mentorapi_server;
GRANT SELECT, INSERT, DELETE ON availability_windows TO mentorapi_server;
GRANT SELECT, INSERT ON reviews, search_vocabulary TO mentorapi_server;
GRANT SELECT, INSERT, UPDATE ON search_postings TO mentorapi_server;
GRANT SELECT, UPDATE ON mentor_counts TO mentorapi_server;
GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_keys TO mentorapi_server;
GRANT SELECT, INSERT ON state_changes TO mentorapi_server;
GRANT SELECT ON request_list, session_list, mentor_list TO mentorapi_server;
-- Whether the schema is as new as the code.
GRANT SELECT ON _yoyo_migration TO mentorapi_server;
