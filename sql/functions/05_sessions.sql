-- Sessions: the time that they reserve, their state in calendars, their JSON, and what is due.
--
-- session_json() is used by every statement that returns a session; session_list by the
-- lists that are composed from a client's filters.

-- Reserves the time of a live session. It locks the mentor's row first: without that, concurrent
-- inserts would deadlock in the exclusion index.
--
-- A live session takes the mentor's buffer as it is now, and must keep it on both sides. That
-- buffer is never smaller than those of the sessions booked before (mentors_shrink_buffer), so what
-- passes here passes the constraint bookings_no_overlap. The constraint remains for changes that a
-- trigger cannot see.
CREATE OR REPLACE FUNCTION bookings_reserve_time() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
    gap interval;
BEGIN
    SELECT
        mentors.buffer_time,
        make_interval(mins => mentors.buffer_time)
    INTO NEW.buffer_time, gap
    FROM mentors
    WHERE mentors.id = NEW.mentor_id
    FOR NO KEY UPDATE;

    IF booking_is_live(NEW.status) AND EXISTS (
        SELECT
        FROM bookings AS b
        WHERE
            b.mentor_id = NEW.mentor_id
            AND b.live
            AND b.id <> NEW.id
            AND occupied(b.start_time, b.end_time, b.buffer_time)
            && tstzrange(NEW.start_time - gap, NEW.end_time + gap)
            AND b.start_time < NEW.end_time + gap
            AND b.end_time > NEW.start_time - gap
    ) THEN
        RAISE EXCLUSION_VIOLATION USING
            MESSAGE = 'too close to another live session of this mentor',
            TABLE = 'bookings',
            CONSTRAINT = 'bookings_no_overlap';
    END IF;
    RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER bookings_placed BEFORE INSERT ON bookings
FOR EACH ROW EXECUTE FUNCTION bookings_reserve_time();

CREATE OR REPLACE TRIGGER bookings_moved BEFORE UPDATE ON bookings
FOR EACH ROW
WHEN (
    (old.mentor_id, old.start_time, old.end_time) IS DISTINCT FROM (
        new.mentor_id, new.start_time, new.end_time
    )
    OR (booking_is_live(new.status) AND NOT booking_is_live(old.status))
)
EXECUTE FUNCTION bookings_reserve_time();

-- A smaller buffer frees the time that a larger one held.
CREATE OR REPLACE FUNCTION mentors_shrink_buffer() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    UPDATE bookings
    SET buffer_time = NEW.buffer_time
    WHERE mentor_id = NEW.id AND live AND buffer_time > NEW.buffer_time;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER mentors_buffer_shrunk AFTER UPDATE OF buffer_time ON mentors
FOR EACH ROW
WHEN (new.buffer_time < old.buffer_time)
EXECUTE FUNCTION mentors_shrink_buffer();

-- The state of a session in a calendar (RFC 5545).
CREATE OR REPLACE FUNCTION calendar_status(status text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT CASE status
        WHEN 'pending' THEN 'TENTATIVE'
        WHEN 'cancelled' THEN 'CANCELLED'
        ELSE 'CONFIRMED'
    END
$$;

-- Counts the changes that a calendar shows: of two copies it keeps the one with the higher number.
CREATE OR REPLACE FUNCTION bookings_resequence() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    NEW.calendar_sequence := OLD.calendar_sequence + 1;
    RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER bookings_resequenced BEFORE UPDATE ON bookings
FOR EACH ROW
WHEN (
    (old.start_time, old.end_time, old.location, calendar_status(old.status)) IS DISTINCT FROM (
        new.start_time, new.end_time, new.location, calendar_status(new.status)
    )
)
EXECUTE FUNCTION bookings_resequence();

-- The review is passed in, since one written by the same statement is not yet visible in its table.
CREATE OR REPLACE FUNCTION session_json(b bookings, v reviews) RETURNS TABLE (body json)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT row_to_json(fields)
    FROM (
        SELECT
            b.id,
            b.request_id AS "requestId",
            b.mentor_id AS "mentorId",
            b.mentee_id AS "menteeId",
            b.topic,
            b.message,
            iso(b.start_time) AS "startTime",
            iso(b.end_time) AS "endTime",
            minutes_between(b.start_time, b.end_time) AS duration,
            b.location,
            b.status,
            b.cancellation_reason AS "cancellationReason",
            b.cancelled_by AS "cancelledBy",
            trim_scale(b.session_rate) AS "sessionRate",
            b.session_currency AS "sessionCurrency",
            party(m) AS mentor,
            party(u) AS mentee,
            CASE
                WHEN v.id IS NOT NULL THEN json_build_object(
                    'id', v.id,
                    'rating', v.rating,
                    'comment', v.comment,
                    'createdAt', iso(v.created_at)
                )
            END AS review,
            iso(b.created_at) AS "createdAt",
            iso(b.updated_at) AS "updatedAt"
        FROM mentors AS m
        CROSS JOIN users AS u
        WHERE m.id = b.mentor_id AND u.id = b.mentee_id
    ) AS fields
$$;

CREATE OR REPLACE VIEW session_list AS
SELECT
    b.id,
    b.mentor_id,
    b.mentee_id,
    b.status,
    b.start_time,
    s.body
FROM bookings AS b
LEFT JOIN reviews AS v ON v.booking_id = b.id
CROSS JOIN LATERAL session_json(b, v) AS s;

-- Sessions that the sweep has to move: since when they are due, and to which state. sessions.sweep
-- moves them, sessions.measure_lag says how late it is. A session that ended while no sweep ran
-- goes straight to pending_completion.
CREATE OR REPLACE VIEW due_sessions AS
SELECT
    b.id,
    b.mentor_id,
    b.start_time,
    CASE
        WHEN b.status = 'in_progress' THEN b.end_time + interval '15 minutes'
        ELSE b.start_time
    END AS due_since,
    CASE
        WHEN b.end_time + interval '15 minutes' <= now() THEN 'pending_completion'
        ELSE 'in_progress'
    END AS next_status
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
