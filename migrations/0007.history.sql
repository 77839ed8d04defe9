-- Every change of a request's or a session's state leaves a row, whoever makes it: a person through
-- the API, the sweep, or a DBA with psql. The statements of the API say who they act for in the
-- setting `mentorapi.actor`, which ends with their transaction: a user's id behind `user:`, or
-- `sweep`.
-- depends: 0006.discovery

CREATE TABLE IF NOT EXISTS state_changes (
    id uuid NOT NULL DEFAULT uuidv7(),
    request_id uuid,
    booking_id uuid,
    -- null for the first state
    old_status text,
    new_status text NOT NULL,
    -- a session's times after the change
    start_time timestamptz,
    end_time timestamptz,
    -- null when it was nobody's doing through the API
    user_id text,
    source text NOT NULL,
    -- the database's own record of who was connected
    database_user text NOT NULL DEFAULT session_user,
    reason text,
    changed_at timestamptz NOT NULL,
    CONSTRAINT state_changes_pkey PRIMARY KEY (id),
    CONSTRAINT state_changes_request_fkey
    FOREIGN KEY (request_id) REFERENCES requests (id) ON DELETE CASCADE,
    CONSTRAINT state_changes_booking_fkey
    FOREIGN KEY (booking_id) REFERENCES bookings (id) ON DELETE CASCADE,
    CONSTRAINT state_changes_of_one CHECK (num_nonnulls(request_id, booking_id) = 1),
    CONSTRAINT state_changes_source CHECK (source IN ('user', 'sweep', 'database')),
    CONSTRAINT state_changes_user CHECK ((source = 'user') = (user_id IS NOT NULL))
);

CREATE INDEX IF NOT EXISTS state_changes_by_request ON state_changes (request_id, changed_at, id)
WHERE request_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS state_changes_by_booking ON state_changes (booking_id, changed_at, id)
WHERE booking_id IS NOT NULL;

-- Says, until the transaction ends, for whom the changes are made. Returns the user's id, so that a
-- statement can use it where it needs that id and be sure that it was said before.
CREATE OR REPLACE FUNCTION act_for(user_id text) RETURNS text
LANGUAGE sql VOLATILE
AS $$
    SELECT user_id
    FROM set_config('mentorapi.actor', 'user:' || user_id, true)
$$;

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

CREATE OR REPLACE TRIGGER requests_recorded AFTER INSERT ON requests
FOR EACH ROW EXECUTE FUNCTION record_state_change();

CREATE OR REPLACE TRIGGER requests_change_recorded AFTER UPDATE ON requests
FOR EACH ROW WHEN (old.status <> new.status)
EXECUTE FUNCTION record_state_change();

CREATE OR REPLACE TRIGGER bookings_recorded AFTER INSERT ON bookings
FOR EACH ROW EXECUTE FUNCTION record_state_change();

CREATE OR REPLACE TRIGGER bookings_change_recorded AFTER UPDATE ON bookings
FOR EACH ROW
WHEN (
    (old.status, old.start_time, old.end_time)
    IS DISTINCT FROM (new.status, new.start_time, new.end_time)
)
EXECUTE FUNCTION record_state_change();

-- What was there before anybody kept a record.
INSERT INTO state_changes (request_id, new_status, source, reason, changed_at)
SELECT
    r.id,
    r.status,
    'database',
    r.rejection_reason,
    r.updated_at
FROM requests AS r
WHERE
    NOT EXISTS (
        SELECT
        FROM state_changes AS c
        WHERE c.request_id = r.id
    );

INSERT INTO state_changes (
    booking_id, new_status, start_time, end_time, source, reason, changed_at
)
SELECT
    b.id,
    b.status,
    b.start_time,
    b.end_time,
    'database',
    b.cancellation_reason,
    b.updated_at
FROM bookings AS b
WHERE
    NOT EXISTS (
        SELECT
        FROM state_changes AS c
        WHERE c.booking_id = b.id
    );

-- A change as the two parties see it.
CREATE OR REPLACE FUNCTION change_shape(c state_changes, mentor_user_id text)
RETURNS TABLE (body json)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT json_build_object(
        'from', c.old_status,
        'to', c.new_status,
        'by', CASE
            WHEN c.source = 'sweep' THEN 'system'
            WHEN c.source = 'database' THEN 'admin'
            WHEN c.user_id = mentor_user_id THEN 'mentor'
            ELSE 'mentee'
        END,
        'reason', c.reason,
        'startTime', iso(c.start_time),
        'endTime', iso(c.end_time),
        'at', iso(c.changed_at)
    )
$$;
