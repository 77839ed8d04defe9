-- demo.history: how all came to its state, in the place of what the triggers have just noted.
-- returns nothing
WITH noted AS (
    DELETE FROM state_changes
),

requests_changed AS (
    INSERT INTO state_changes (
        request_id, old_status, new_status, user_id, source, reason, changed_at
    )
    SELECT
        r.id,
        c.old_status,
        c.new_status,
        c.user_id,
        'user',
        c.reason,
        c.changed_at
    FROM requests AS r
    INNER JOIN mentors AS m ON m.id = r.mentor_id
    CROSS JOIN
        LATERAL (
            VALUES
            (NULL, 'pending', r.mentee_id, NULL, r.created_at),
            ('pending', 'accepted', m.user_id, NULL, r.updated_at),
            ('pending', 'rejected', m.user_id, r.rejection_reason, r.updated_at),
            ('pending', 'cancelled', r.mentee_id, NULL, r.updated_at)
        ) AS c (old_status, new_status, user_id, reason, changed_at)
    WHERE c.new_status IN ('pending', r.status)
)

INSERT INTO state_changes (
    booking_id, old_status, new_status, start_time, end_time, user_id, source, reason, changed_at
)
SELECT
    b.id,
    c.old_status,
    c.new_status,
    -- Before it was moved, a session had the time that was asked for.
    CASE WHEN c.step = 1 THEN coalesce(r.start_time, b.start_time) ELSE b.start_time END,
    CASE WHEN c.step = 1 THEN coalesce(r.end_time, b.end_time) ELSE b.end_time END,
    c.user_id,
    c.source,
    CASE WHEN c.new_status = 'cancelled' THEN b.cancellation_reason END,
    c.changed_at
FROM bookings AS b
INNER JOIN mentors AS m ON m.id = b.mentor_id
LEFT JOIN requests AS r ON r.id = b.request_id
CROSS JOIN
    LATERAL (
        VALUES
        (0, NULL, 'pending', 'database', NULL, b.created_at),
        (1, NULL, 'confirmed', 'user', m.user_id, b.created_at),
        (2, 'confirmed', 'rescheduled', 'user', m.user_id, b.updated_at),
        (3, 'confirmed', 'cancelled', 'user', b.cancelled_by, b.updated_at),
        (4, 'confirmed', 'in_progress', 'sweep', NULL, b.start_time),
        (
            5, 'in_progress', 'pending_completion', 'sweep', NULL,
            least(b.end_time + interval '15 minutes', b.updated_at)
        ),
        (6, 'pending_completion', 'completed', 'user', b.mentee_id, b.updated_at),
        (7, 'pending_completion', 'disputed', 'user', b.mentee_id, b.updated_at)
    ) AS c (step, old_status, new_status, source, user_id, changed_at)
WHERE
    c.step = any(
        CASE b.status
            WHEN 'pending' THEN '{0}'
            WHEN 'confirmed' THEN '{1}'
            WHEN 'rescheduled' THEN '{1, 2}'
            WHEN 'cancelled' THEN '{1, 3}'
            WHEN 'in_progress' THEN '{1, 4}'
            WHEN 'pending_completion' THEN '{1, 4, 5}'
            WHEN 'completed' THEN '{1, 4, 5, 6}'
            WHEN 'disputed' THEN '{1, 4, 5, 7}'
        END::integer[]
    );
