-- Stored figures. deploy/database/drift.sql counts them again and shows differences.

-- mentors.total_sessions: completed sessions. Each counts once, whatever statement completed it.
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

CREATE OR REPLACE TRIGGER bookings_completed_new AFTER INSERT ON bookings
FOR EACH ROW WHEN (new.status = 'completed')
EXECUTE FUNCTION bookings_count_completed();

CREATE OR REPLACE TRIGGER bookings_completed_changed AFTER UPDATE OF status, mentor_id ON bookings
FOR EACH ROW
WHEN (
    (old.status = 'completed', old.mentor_id) IS DISTINCT FROM (
        new.status = 'completed', new.mentor_id
    )
)
EXECUTE FUNCTION bookings_count_completed();

CREATE OR REPLACE TRIGGER bookings_completed_deleted AFTER DELETE ON bookings
FOR EACH ROW WHEN (old.status = 'completed')
EXECUTE FUNCTION bookings_count_completed();

-- mentors.review_count and mentors.rating_sum.
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

CREATE OR REPLACE TRIGGER reviews_counted AFTER INSERT OR UPDATE OR DELETE ON reviews
FOR EACH ROW EXECUTE FUNCTION reviews_count();
