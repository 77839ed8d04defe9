-- What holds whoever writes: triggers, and the one rule about free time.
-- depends: 0001.schema

-- Who books with a mentor locks the mentor's row: bare concurrent inserts would deadlock in the
-- exclusion index. A live session takes the mentor's buffer as it is then, and must keep it on
-- both sides; that buffer is never smaller than those of the sessions booked before, so what passes
-- here passes the constraint, which stands behind it for all that a trigger cannot see.
CREATE OR REPLACE FUNCTION bookings_take_place() RETURNS trigger
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

CREATE TRIGGER bookings_placed BEFORE INSERT ON bookings
FOR EACH ROW EXECUTE FUNCTION bookings_take_place();

CREATE TRIGGER bookings_moved BEFORE UPDATE ON bookings
FOR EACH ROW
WHEN (
    (old.mentor_id, old.start_time, old.end_time) IS DISTINCT FROM (
        new.mentor_id, new.start_time, new.end_time
    )
    OR (booking_is_live(new.status) AND NOT booking_is_live(old.status))
)
EXECUTE FUNCTION bookings_take_place();

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

CREATE TRIGGER mentors_buffer_shrunk AFTER UPDATE OF buffer_time ON mentors
FOR EACH ROW
WHEN (new.buffer_time < old.buffer_time)
EXECUTE FUNCTION mentors_shrink_buffer();

-- Statistics count completed sessions, once, however a session came to be completed.
CREATE OR REPLACE FUNCTION bookings_count_completed() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.status = 'completed' THEN
        UPDATE mentors SET total_sessions = total_sessions - 1 WHERE id = OLD.mentor_id;
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.status = 'completed' THEN
        UPDATE mentors SET total_sessions = total_sessions + 1 WHERE id = NEW.mentor_id;
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER bookings_completed_new AFTER INSERT ON bookings
FOR EACH ROW WHEN (new.status = 'completed')
EXECUTE FUNCTION bookings_count_completed();

CREATE TRIGGER bookings_completed_changed AFTER UPDATE OF status, mentor_id ON bookings
FOR EACH ROW
WHEN (
    (old.status = 'completed', old.mentor_id) IS DISTINCT FROM (
        new.status = 'completed', new.mentor_id
    )
)
EXECUTE FUNCTION bookings_count_completed();

CREATE TRIGGER bookings_completed_deleted AFTER DELETE ON bookings
FOR EACH ROW WHEN (old.status = 'completed')
EXECUTE FUNCTION bookings_count_completed();

CREATE OR REPLACE FUNCTION reviews_count() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        UPDATE mentors
        SET review_count = review_count - 1, rating_sum = rating_sum - OLD.rating
        WHERE id = OLD.mentor_id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        UPDATE mentors
        SET review_count = review_count + 1, rating_sum = rating_sum + NEW.rating
        WHERE id = NEW.mentor_id;
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER reviews_counted AFTER INSERT OR UPDATE OR DELETE ON reviews
FOR EACH ROW EXECUTE FUNCTION reviews_count();

-- A profile shows the name and picture of the token until it has its own.
CREATE OR REPLACE FUNCTION users_rename_profile() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    UPDATE mentors
    SET
        full_name = CASE WHEN own_name THEN full_name ELSE NEW.name END,
        profile_image_url = CASE WHEN own_image THEN profile_image_url ELSE NEW.picture END
    WHERE user_id = NEW.id AND NOT (own_name AND own_image);
    RETURN NULL;
END
$$;

CREATE TRIGGER users_renamed AFTER UPDATE OF name, picture ON users
FOR EACH ROW
WHEN ((old.name, old.picture) IS DISTINCT FROM (new.name, new.picture))
EXECUTE FUNCTION users_rename_profile();

-- The one rule about time: what GET /mentors/:id/availability offers and POST /requests admits is
-- what lies within this. The weekly windows from one date (UTC) to another, both inclusive,
-- adjacent ones merged, without the live sessions and the mentor's buffer on both sides of each.
CREATE OR REPLACE FUNCTION mentor_free_time(
    for_mentor uuid, from_date date, to_date date
) RETURNS tstzmultirange
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT coalesce(open_time.hours, '{}') - coalesce(busy.hours, '{}')
    FROM mentors AS m
    CROSS JOIN LATERAL (
        SELECT range_agg(
            tstzrange(
                (d.day::date + w.start_time) AT TIME ZONE 'UTC',
                (d.day::date + w.end_time) AT TIME ZONE 'UTC'
            )
        ) AS hours
        FROM generate_series(
            from_date::timestamp, to_date::timestamp, interval '1 day'
        ) AS d (day)
        INNER JOIN availability_windows AS w
            ON w.day_of_week = extract(ISODOW FROM d.day)::integer - 1
        WHERE w.mentor_id = for_mentor
    ) AS open_time
    CROSS JOIN LATERAL (
        SELECT range_agg(
            tstzrange(
                b.start_time - make_interval(mins => m.buffer_time),
                b.end_time + make_interval(mins => m.buffer_time)
            )
        ) AS hours
        FROM bookings AS b
        WHERE
            b.mentor_id = for_mentor
            AND b.live
            AND occupied(b.start_time, b.end_time, b.buffer_time) && tstzrange(
                from_date::timestamp AT TIME ZONE 'UTC' - interval '1 hour',
                (to_date + 1)::timestamp AT TIME ZONE 'UTC' + interval '1 hour'
            )
    ) AS busy
    WHERE m.id = for_mentor
$$;
