-- sessions.measure_lag: how late the sweep is with the oldest due session or request.
-- The rows that sessions.sweep and requests.expire change are due.
-- returns seconds since it became due; 0 when none is due
SELECT
    extract(EPOCH FROM greatest(
        (
            SELECT max(now() - d.due_since)
            FROM due_sessions AS d
        ),
        (
            SELECT now() - min(r.start_time)
            FROM requests AS r
            WHERE r.status = 'pending' AND r.start_time <= now()
        ),
        interval '0'
    ))::double precision AS seconds;
