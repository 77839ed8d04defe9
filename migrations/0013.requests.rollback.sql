DROP FUNCTION has_text;
DROP FUNCTION count_links;
DROP FUNCTION merge_links;
DROP FUNCTION token_name;
ALTER TABLE mentors DROP COLUMN own_rate;

CREATE OR REPLACE FUNCTION record_state_change() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
    actor text := coalesce(current_setting('mentorapi.actor', true), '');
    change state_changes;
    before timestamptz;
BEGIN
    change.id := uuidv7();
    change.new_status := NEW.status;
    change.user_id := CASE WHEN actor LIKE 'user:%' THEN substr(actor, 6) END;
    change.source := CASE
        WHEN actor LIKE 'user:%' THEN 'user'
        WHEN actor = 'sweep' THEN 'sweep'
        ELSE 'database'
    END;
    change.database_user := session_user;
    IF TG_OP = 'UPDATE' THEN
        change.old_status := OLD.status;
    END IF;
    IF TG_TABLE_NAME = 'requests' THEN
        change.request_id := NEW.id;
        change.reason := NEW.rejection_reason;
        SELECT max(c.changed_at) INTO before
        FROM state_changes AS c
        WHERE c.request_id = NEW.id;
    ELSE
        change.booking_id := NEW.id;
        change.start_time := NEW.start_time;
        change.end_time := NEW.end_time;
        change.reason := NEW.cancellation_reason;
        SELECT max(c.changed_at) INTO before
        FROM state_changes AS c
        WHERE c.booking_id = NEW.id;
    END IF;
    -- Who had to wait for another change may have begun before it: now() would put them in the
    -- wrong order.
    change.changed_at := greatest(now(), before + interval '1 microsecond');
    INSERT INTO state_changes
    SELECT (change).*;
    RETURN NULL;
END
$$;

DROP VIEW request_list;
DROP FUNCTION request_shape;

CREATE OR REPLACE FUNCTION request_shape(r requests) RETURNS TABLE (body json)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT row_to_json(shape)
    FROM (
        SELECT
            r.id,
            r.mentor_id AS "mentorId",
            r.mentee_id AS "menteeId",
            r.topic,
            r.message,
            to_char(r.start_time AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS "scheduledDate",
            to_char(r.start_time AT TIME ZONE 'UTC', 'HH24:MI') AS "scheduledTime",
            minutes_between(r.start_time, r.end_time) AS duration,
            r.location,
            iso(r.start_time) AS "startTime",
            iso(r.end_time) AS "endTime",
            r.status,
            r.rejection_reason AS "rejectionReason",
            r.booking_id AS "bookingId",
            party(m) AS mentor,
            party(u) AS mentee,
            iso(r.created_at) AS "createdAt",
            iso(r.updated_at) AS "updatedAt"
        FROM mentors AS m
        CROSS JOIN users AS u
        WHERE m.id = r.mentor_id AND u.id = r.mentee_id
    ) AS shape
$$;

CREATE OR REPLACE VIEW request_list AS
SELECT
    r.id,
    r.mentor_id,
    r.mentee_id,
    r.status,
    r.created_at,
    s.body
FROM requests AS r
CROSS JOIN LATERAL request_shape(r) AS s;

DROP FUNCTION expiry_reason;
DROP FUNCTION request_status;
DROP TRIGGER requests_priced ON requests;
DROP FUNCTION requests_take_rate;
DROP INDEX requests_pending_by_start;
ALTER TABLE requests
DROP COLUMN expired,
DROP COLUMN session_currency,
DROP COLUMN session_rate;
