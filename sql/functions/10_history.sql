-- The history of requests and sessions: each change of a state leaves a row in state_changes,
-- whichever program makes it: the API, the sweep, or psql.
--
-- The statements of the API say for which user they act with act_for(). Its setting
-- `mentorapi.actor` ends with the transaction: `user:` and the user's id, or `sweep`.

-- Returns the user's id. A statement that takes the id from this function cannot change a row
-- before the setting is made.
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
    IF TG_TABLE_NAME = 'requests' THEN
        IF NEW.expired THEN
            actor := 'sweep';
        END IF;
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
    -- A transaction that waited for another change may have begun before it. Then now() would put
    -- the two changes in the wrong order.
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

-- A change as the two parties see it.
CREATE OR REPLACE FUNCTION change_json(c state_changes, mentor_user_id text)
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
