-- sessions.lag: for how long the sweep has owed the oldest due session its next state.
-- Due is what sessions.sweep takes.
-- returns seconds; 0 when none is due
SELECT
    coalesce(
        extract(EPOCH FROM max(
            now() - CASE
                WHEN b.status = 'in_progress' THEN b.end_time + interval '15 minutes'
                ELSE b.start_time
            END
        )),
        0
    )::double precision AS seconds
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
    );
