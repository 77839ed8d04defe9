-- What makes cached answers stale. Servers keep the answers to public reads in memory and listen on
-- the channel `mentorapi`. A message is a mentor's id (what is shown of this mentor has changed),
-- `lists` (the order or a card of the lists may have changed), or `all`.

CREATE OR REPLACE FUNCTION notify_mentor() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM pg_notify('mentorapi', coalesce(NEW.id, OLD.id)::text);
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION notify_lists() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM pg_notify('mentorapi', 'lists');
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION notify_mentor_of_row() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM pg_notify('mentorapi', coalesce(NEW.mentor_id, OLD.mentor_id)::text);
    RETURN NULL;
END
$$;

-- A review shows the name and the picture of the mentee who wrote it.
CREATE OR REPLACE FUNCTION notify_reviewed_mentors() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM pg_notify('mentorapi', reviewed.mentor_id::text)
    FROM (
        SELECT DISTINCT v.mentor_id
        FROM reviews AS v
        WHERE v.mentee_id = NEW.id
    ) AS reviewed;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER mentors_notify_added_or_deleted AFTER INSERT OR DELETE ON mentors
FOR EACH ROW EXECUTE FUNCTION notify_lists();

CREATE OR REPLACE TRIGGER mentors_notify_deleted AFTER DELETE ON mentors
FOR EACH ROW EXECUTE FUNCTION notify_mentor();

CREATE OR REPLACE TRIGGER mentors_notify_changed AFTER UPDATE ON mentors
FOR EACH ROW EXECUTE FUNCTION notify_mentor();

-- The columns that a card shows or that order the cards. Generated columns follow from these.
CREATE OR REPLACE TRIGGER mentors_notify_card_changed AFTER UPDATE ON mentors
FOR EACH ROW
WHEN (
    (
        old.user_id, old.full_name, old.profile_image_url, old.profile_image_file, old.headline,
        old.bio, old.expertise, old.session_duration, old.rating_sum, old.review_count,
        old.total_sessions, old.visibility
    ) IS DISTINCT FROM (
        new.user_id, new.full_name, new.profile_image_url, new.profile_image_file, new.headline,
        new.bio, new.expertise, new.session_duration, new.rating_sum, new.review_count,
        new.total_sessions, new.visibility
    )
)
EXECUTE FUNCTION notify_lists();

CREATE OR REPLACE TRIGGER availability_windows_notify
AFTER INSERT OR UPDATE OR DELETE ON availability_windows
FOR EACH ROW EXECUTE FUNCTION notify_mentor_of_row();

CREATE OR REPLACE TRIGGER bookings_notify_added AFTER INSERT ON bookings
FOR EACH ROW WHEN (new.live)
EXECUTE FUNCTION notify_mentor_of_row();

CREATE OR REPLACE TRIGGER bookings_notify_changed AFTER UPDATE ON bookings
FOR EACH ROW
WHEN (
    (old.live, old.start_time, old.end_time, old.mentor_id)
    IS DISTINCT FROM (new.live, new.start_time, new.end_time, new.mentor_id)
)
EXECUTE FUNCTION notify_mentor_of_row();

CREATE OR REPLACE TRIGGER bookings_notify_deleted AFTER DELETE ON bookings
FOR EACH ROW WHEN (old.live)
EXECUTE FUNCTION notify_mentor_of_row();

CREATE OR REPLACE TRIGGER reviews_notify AFTER INSERT OR UPDATE OR DELETE ON reviews
FOR EACH ROW EXECUTE FUNCTION notify_mentor_of_row();

CREATE OR REPLACE TRIGGER users_notify AFTER UPDATE OF name, picture ON users
FOR EACH ROW
WHEN ((old.name, old.picture) IS DISTINCT FROM (new.name, new.picture))
EXECUTE FUNCTION notify_reviewed_mentors();
