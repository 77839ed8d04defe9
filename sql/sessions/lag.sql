-- sessions.lag: for how long the sweep has owed the oldest due session or request its next state.
-- Due is what sessions.sweep and requests.expire take.
-- returns seconds; 0 when none is due
SELECT
    extract(EPOCH FROM greatest(
        (
            SELECT
                max(
                    now() - CASE
                        WHEN b.status = 'in_progress' THEN b.end_time + interval '15 minutes'
                        ELSE b.start_time
                    END
                )
            FROM bookings AS b
            WHERE
                b.live
                AND b.start_time <= now()
                AND (
                    (b.status IN ('confirmed', 'rescheduled') AND b.end_time > now())
                    OR (
                        b.status IN ('confirmed', 'rescheduled', 'in_progress')
                        AND b.end_time + interval '15 minutes' <= now()
                    )
                )
        ),
        (
            SELECT now() - min(r.start_time)
            FROM requests AS r
            WHERE r.status = 'pending' AND r.start_time <= now()
        ),
        interval '0'
    ))::double precision AS seconds;
