-- database.name_connection: name the connection, in pg_stat_activity and in the server's log.
-- $1 name text
-- returns name
SELECT set_config('application_name', $1, FALSE) AS name;
