-- Requests: their price, their state and their JSON.
--
-- request_json() is used by every statement that returns a request; request_list by the
-- lists that are composed from a client's filters.

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

-- The state that clients see. A pending request is over from its start on, even before the sweep
-- has written that down.
CREATE OR REPLACE FUNCTION request_status(status text, start_time timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT CASE WHEN status = 'pending' AND start_time <= now() THEN 'rejected' ELSE status END
$$;

CREATE OR REPLACE FUNCTION expiry_reason() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT 'Expired without an answer' $$;

-- The booking is passed in, since one made by the same statement is not yet visible in its table.
-- The times are passed in, since most responses show those that were asked for, some the session's.
CREATE OR REPLACE FUNCTION request_json(
    r requests, b bookings, start_time timestamptz, end_time timestamptz
) RETURNS TABLE (body json)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT row_to_json(fields)
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
    ) AS fields
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
CROSS JOIN LATERAL request_json(r, b, r.start_time, r.end_time) AS s;
