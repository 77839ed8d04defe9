-- Makes one session due of each of the first 10,000 mentors who have one that is not settled.
SET session_replication_role = replica;

UPDATE bookings
SET
    start_time = date_trunc('minute', now()) - interval '2 hours',
    end_time = date_trunc('minute', now()) - interval '1 hour',
    status = 'confirmed'
WHERE
    id IN (
        SELECT DISTINCT ON (mentor_id) id
        FROM bookings
        WHERE
            mentor_id > 'aa000000-0000-7000-8000-000000000001'
            AND (
                (status = 'confirmed' AND start_time > now())
                OR status = 'pending_completion'
            )
        ORDER BY mentor_id, id
        LIMIT 10000
    );

RESET session_replication_role;
