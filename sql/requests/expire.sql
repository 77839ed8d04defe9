-- requests.expire: reject overdue pending requests, a batch at a time.
-- $1 batch_size bigint
-- returns expired, how many there were
WITH due AS (
    -- A locked row is skipped: the next round finds it.
    SELECT r.id
    FROM requests AS r
    WHERE r.status = 'pending' AND r.start_time <= now()
    ORDER BY r.start_time
    LIMIT $1
    FOR NO KEY UPDATE SKIP LOCKED
),

expired AS (
    UPDATE requests
    SET status = 'rejected', expired = TRUE, rejection_reason = expiry_reason()
    WHERE
        -- With a join, a generic plan reads all requests: it cannot know how small a batch is.
        requests.id = any(
            array(
                SELECT due.id
                FROM due
            )
        )
    RETURNING requests.id
)

SELECT count(*) AS expired
FROM expired;
