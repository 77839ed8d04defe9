-- A request keeps the price that the mentee saw, shows its session, and ends by itself when its
-- time comes without an answer. A profile knows whether its rate was ever set.
-- depends: 0008.search

-- The new columns are checked while nobody writes (docs/upgrading.md).
-- squawk-ignore-file adding-not-nullable-field, constraint-missing-not-valid, ban-drop-function
-- squawk-ignore-file require-concurrent-index-creation

-- What a session costs, fixed when the mentee asks.
ALTER TABLE requests
ADD COLUMN IF NOT EXISTS session_rate numeric(12, 2),
ADD COLUMN IF NOT EXISTS session_currency text,
-- rejected by the passing of time
ADD COLUMN IF NOT EXISTS expired boolean NOT NULL DEFAULT FALSE;

-- It is no change of the request: updated_at stays. An empty location is none.
ALTER TABLE requests DISABLE TRIGGER requests_touch;

UPDATE requests
SET
    session_rate = coalesce(booked.session_rate, m.session_rate),
    session_currency = coalesce(booked.session_currency, m.session_currency),
    location = nullif(r.location, '')
FROM requests AS r
INNER JOIN mentors AS m ON m.id = r.mentor_id
LEFT JOIN bookings AS booked ON booked.id = r.booking_id
WHERE r.id = requests.id AND requests.session_rate IS NULL;

ALTER TABLE requests ENABLE TRIGGER requests_touch;

ALTER TABLE requests
ALTER COLUMN session_rate SET NOT NULL,
ALTER COLUMN session_currency SET NOT NULL,
ADD CONSTRAINT requests_session_rate CHECK (session_rate >= 0),
ADD CONSTRAINT requests_session_currency CHECK (session_currency ~ '^[A-Z]{3}$'),
ADD CONSTRAINT requests_expired_is_rejected CHECK (NOT expired OR status = 'rejected');

-- What the sweep looks through.
CREATE INDEX IF NOT EXISTS requests_pending_by_start ON requests (start_time)
WHERE status = 'pending';

-- A request that is inserted without a price, by hand or by older code, takes the mentor's.
CREATE OR REPLACE FUNCTION requests_take_rate() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    SELECT
        coalesce(NEW.session_rate, m.session_rate),
        coalesce(NEW.session_currency, m.session_currency)
    INTO NEW.session_rate, NEW.session_currency
    FROM mentors AS m
    WHERE m.id = NEW.mentor_id;
    RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER requests_priced BEFORE INSERT ON requests
FOR EACH ROW
WHEN (new.session_rate IS NULL OR new.session_currency IS NULL)
EXECUTE FUNCTION requests_take_rate();

-- The state that clients see. From its start on a pending request is over, whether or not the sweep
-- has written that down yet.
CREATE OR REPLACE FUNCTION request_status(status text, start_time timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT CASE WHEN status = 'pending' AND start_time <= now() THEN 'rejected' ELSE status END
$$;

CREATE OR REPLACE FUNCTION expiry_reason() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT 'Expired without an answer' $$;

-- The booking is passed in: one made by the same statement is not yet visible in its table. The
-- times are passed in as well: most answers show those that were asked for, some the session's.
CREATE OR REPLACE FUNCTION request_shape(
    r requests, b bookings, start_time timestamptz, end_time timestamptz
) RETURNS TABLE (body json)
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
            to_char(start_time AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS "scheduledDate",
            to_char(start_time AT TIME ZONE 'UTC', 'HH24:MI') AS "scheduledTime",
            minutes_between(start_time, end_time) AS duration,
            -- While it is pending, the place is where the session would be if it were accepted now.
            CASE
                WHEN request_status(r.status, r.start_time) = 'pending'
                    THEN coalesce(r.location, m.default_meeting_link)
                ELSE r.location
            END AS location,
            iso(start_time) AS "startTime",
            iso(end_time) AS "endTime",
            request_status(r.status, r.start_time) AS status,
            CASE
                WHEN request_status(r.status, r.start_time) <> r.status THEN expiry_reason()
                ELSE r.rejection_reason
            END AS "rejectionReason",
            trim_scale(r.session_rate) AS "sessionRate",
            r.session_currency AS "sessionCurrency",
            r.booking_id AS "bookingId",
            CASE
                WHEN b.id IS NOT NULL THEN json_build_object(
                    'id', b.id,
                    'status', b.status,
                    'startTime', iso(b.start_time),
                    'endTime', iso(b.end_time)
                )
            END AS booking,
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
    s.body,
    r.start_time
FROM requests AS r
LEFT JOIN bookings AS b ON b.id = r.booking_id
CROSS JOIN LATERAL request_shape(r, b, r.start_time, r.end_time) AS s;

DROP FUNCTION IF EXISTS request_shape(requests);

-- As before, but an expired request is the system's doing, whichever statement writes it down.
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
    -- Who had to wait for another change may have begun before it: now() would put them in the
    -- wrong order.
    change.changed_at := greatest(now(), before + interval '1 microsecond');
    INSERT INTO state_changes
    SELECT (change).*;
    RETURN NULL;
END
$$;

-- Whether the mentor has set the rate: 0 is the default, and may be meant.
ALTER TABLE mentors ADD COLUMN IF NOT EXISTS own_rate boolean NOT NULL DEFAULT FALSE;

-- The name that the user's tokens give.
CREATE OR REPLACE FUNCTION token_name(user_id text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT u.name FROM users AS u WHERE u.id = user_id $$;

-- A merge patch (RFC 7396) of a profile's links: null removes one.
CREATE OR REPLACE FUNCTION merge_links(links jsonb, patch jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT jsonb_strip_nulls(links || patch) $$;

CREATE OR REPLACE FUNCTION count_links(links jsonb) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT count(*) FROM jsonb_object_keys(links) $$;

-- Whether a text has a character that a person can see.
CREATE OR REPLACE FUNCTION has_text(words text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT coalesce(words ~ '[^\s\u00a0\u00ad\u200b\u2060\u2800\u3164]', FALSE) $$;
