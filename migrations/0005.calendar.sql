-- What a session is in a calendar (RFC 5545): its state there, and the number that tells a calendar
-- which of two copies is the newer one.
-- depends: 0004.idempotency

CREATE OR REPLACE FUNCTION calendar_status(status text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT CASE status
        WHEN 'pending' THEN 'TENTATIVE'
        WHEN 'cancelled' THEN 'CANCELLED'
        ELSE 'CONFIRMED'
    END
$$;

ALTER TABLE bookings ADD COLUMN IF NOT EXISTS calendar_sequence integer NOT NULL DEFAULT 0;

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
