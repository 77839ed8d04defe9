-- The event log: a row of events for each change of a request, a session, a review or the public
-- data of a mentor. It is written in the transaction of the change, whichever program makes it: the
-- API, the sweep, or psql.
--
-- The log has three uses:
-- * The history of requests and sessions: the rows with is_history, which stay.
-- * The caches of the servers: `stale` says which responses have become stale, those about the
--   `mentor`, those and the `lists`, or `all`; or what is remembered of a `user`
--   (sql/events/list_stale.sql).
-- * Reading all events in order (sql/events/follow.sql).
--
-- A table with a column mentor_id becomes part of a mentor's public data by one trigger:
--     CREATE OR REPLACE TRIGGER … AFTER INSERT OR UPDATE OR DELETE ON …
--     FOR EACH ROW EXECUTE FUNCTION record_mentor_update('mentor');
--
-- The setting `mentorapi.actor` names the actor of a transaction, and ends with the transaction. It
-- is `user:` and the user's id, or `sweep`. Statements of the API set it with act_for().

-- Sets the acting user, and returns the user's id: a statement that takes the id from this function
-- cannot change a row before the setting is made.
CREATE OR REPLACE FUNCTION act_for(user_id text) RETURNS text
LANGUAGE sql VOLATILE
AS $$
    SELECT user_id
    FROM set_config('mentorapi.actor', 'user:' || user_id, true)
$$;

-- The values of events.user_id and events.source for a change that is made now.
CREATE OR REPLACE FUNCTION current_actor(OUT user_id text, OUT source text)
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    actor text := coalesce(current_setting('mentorapi.actor', true), '');
BEGIN
    user_id := CASE WHEN starts_with(actor, 'user:') THEN substr(actor, 6) END;
    source := CASE
        WHEN user_id IS NOT NULL THEN 'user' WHEN actor = 'sweep' THEN 'sweep' ELSE 'database'
    END;
END
$$;

-- One insert for all rows of a statement: a sweep changes thousands. PostgreSQL keeps the plan that
-- it made for the first statement of a session, mostly for one row, and a nested loop over twice
-- ten thousand rows takes seconds. A full join is never a nested loop, and here every row has its
-- partner.
CREATE OR REPLACE FUNCTION record_requests() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
    actor record := current_actor();
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO events (
            type, object_id, mentor_id, mentee_id, status, is_history, source, user_id, reason
        )
        SELECT
            'request.created',
            r.id,
            r.mentor_id,
            r.mentee_id,
            r.status,
            TRUE,
            actor.source,
            actor.user_id,
            r.rejection_reason
        FROM new_rows AS r;
    ELSE
        INSERT INTO events (
            type, object_id, mentor_id, mentee_id, old_status, status, is_history, source, user_id,
            reason, created_at
        )
        SELECT
            'request.' || CASE
                WHEN r.expired THEN 'expired' WHEN r.status = 'pending' THEN 'created'
                ELSE r.status
            END,
            r.id,
            r.mentor_id,
            r.mentee_id,
            o.status,
            r.status,
            TRUE,
            CASE WHEN r.expired THEN 'sweep' ELSE actor.source END,
            CASE WHEN NOT r.expired THEN actor.user_id END,
            r.rejection_reason,
            r.updated_at
        FROM new_rows AS r
        FULL JOIN old_rows AS o ON o.id = r.id
        WHERE r.status IS DISTINCT FROM o.status;
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER requests_recorded AFTER INSERT ON requests
REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION record_requests();

CREATE OR REPLACE TRIGGER requests_change_recorded AFTER UPDATE ON requests
REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION record_requests();

CREATE OR REPLACE FUNCTION session_event(old_status text, new_status text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT 'session.' || CASE
        WHEN old_status = new_status THEN 'rescheduled'
        WHEN old_status = 'disputed' AND new_status IN ('completed', 'cancelled') THEN 'resolved'
        WHEN new_status = 'pending' THEN 'updated'
        WHEN new_status = 'in_progress' THEN 'started'
        WHEN new_status = 'pending_completion' THEN 'ended'
        ELSE new_status
    END
$$;

CREATE OR REPLACE FUNCTION record_sessions() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
    actor record := current_actor();
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO events (
            type, object_id, mentor_id, mentee_id, status, start_time, end_time, is_history, source,
            user_id, reason, stale
        )
        SELECT
            session_event(NULL, b.status),
            b.id,
            b.mentor_id,
            b.mentee_id,
            b.status,
            b.start_time,
            b.end_time,
            TRUE,
            actor.source,
            actor.user_id,
            b.cancellation_reason,
            CASE WHEN b.status = 'completed' THEN 'lists' WHEN b.live THEN 'mentor' ELSE 'nothing' END
        FROM new_rows AS b;
    ELSE
        INSERT INTO events (
            type, object_id, mentor_id, mentee_id, old_status, status, start_time, end_time,
            is_history, source, user_id, reason, stale, created_at
        )
        SELECT
            session_event(o.status, b.status),
            b.id,
            b.mentor_id,
            b.mentee_id,
            o.status,
            b.status,
            b.start_time,
            b.end_time,
            TRUE,
            actor.source,
            actor.user_id,
            b.cancellation_reason,
            CASE
                -- The sessions of a mentor are counted on the cards.
                WHEN (b.status = 'completed') <> (o.status = 'completed') THEN 'lists'
                WHEN (b.live, b.start_time, b.end_time) <> (o.live, o.start_time, o.end_time)
                    THEN 'mentor'
                ELSE 'nothing'
            END,
            b.updated_at
        FROM new_rows AS b
        FULL JOIN old_rows AS o ON o.id = b.id
        WHERE
            (b.status, b.start_time, b.end_time)
            IS DISTINCT FROM (o.status, o.start_time, o.end_time);
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER bookings_recorded AFTER INSERT ON bookings
REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION record_sessions();

CREATE OR REPLACE TRIGGER bookings_change_recorded AFTER UPDATE ON bookings
REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION record_sessions();

-- The history of a request or a session is deleted with it.
CREATE OR REPLACE FUNCTION delete_history() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    DELETE FROM events
    WHERE object_id = OLD.id AND is_history;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER requests_history_deleted AFTER DELETE ON requests
FOR EACH ROW EXECUTE FUNCTION delete_history();

CREATE OR REPLACE TRIGGER bookings_history_deleted AFTER DELETE ON bookings
FOR EACH ROW EXECUTE FUNCTION delete_history();

-- One row is enough for all that a transaction changes of one mentor.
CREATE OR REPLACE FUNCTION record_mentor(mentor uuid, stale_responses text) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    recorded text := current_setting('mentorapi.recorded', true);
BEGIN
    IF recorded IN (mentor || stale_responses, mentor || 'lists') THEN
        RETURN;
    END IF;
    INSERT INTO events (type, object_id, mentor_id, stale)
    VALUES ('mentor.updated', mentor, mentor, stale_responses);
    PERFORM set_config('mentorapi.recorded', mentor || stale_responses, true);
END
$$;

-- What is public about a mentor has changed. The argument is the value of events.stale.
CREATE OR REPLACE FUNCTION record_mentor_update() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF TG_TABLE_NAME = 'mentors' THEN
        PERFORM record_mentor(coalesce(NEW.id, OLD.id), TG_ARGV[0]);
    ELSE
        PERFORM record_mentor(coalesce(NEW.mentor_id, OLD.mentor_id), TG_ARGV[0]);
        IF OLD.mentor_id <> NEW.mentor_id THEN
            PERFORM record_mentor(OLD.mentor_id, TG_ARGV[0]);
        END IF;
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER mentors_recorded AFTER INSERT OR DELETE ON mentors
FOR EACH ROW EXECUTE FUNCTION record_mentor_update('lists');

CREATE OR REPLACE TRIGGER mentors_change_recorded AFTER UPDATE ON mentors
FOR EACH ROW
-- Within another trigger, figures follow a session or a review, which has an event of its own.
WHEN (pg_trigger_depth() = 0)
EXECUTE FUNCTION record_mentor_update('mentor');

-- The columns that a card shows, or that order or filter the cards. Generated columns follow from
-- these.
CREATE OR REPLACE TRIGGER mentors_card_change_recorded AFTER UPDATE ON mentors
FOR EACH ROW
WHEN (
    (
        old.user_id, old.full_name, old.profile_image_url, old.profile_image_file, old.headline,
        old.bio, old.expertise, old.languages, old.location, old.session_duration,
        old.timezone, old.session_rate, old.session_currency, old.visibility
    ) IS DISTINCT FROM (
        new.user_id, new.full_name, new.profile_image_url, new.profile_image_file, new.headline,
        new.bio, new.expertise, new.languages, new.location, new.session_duration,
        new.timezone, new.session_rate, new.session_currency, new.visibility
    )
    OR pg_trigger_depth() = 0
    AND (old.rating_sum, old.review_count, old.total_sessions) IS DISTINCT FROM (
        new.rating_sum, new.review_count, new.total_sessions
    )
)
EXECUTE FUNCTION record_mentor_update('lists');

CREATE OR REPLACE TRIGGER availability_windows_recorded
AFTER INSERT OR UPDATE OR DELETE ON availability_windows
FOR EACH ROW EXECUTE FUNCTION record_mentor_update('mentor');

CREATE OR REPLACE TRIGGER availability_overrides_recorded
AFTER INSERT OR UPDATE OR DELETE ON availability_overrides
FOR EACH ROW EXECUTE FUNCTION record_mentor_update('mentor');

CREATE OR REPLACE TRIGGER time_off_recorded AFTER INSERT OR UPDATE OR DELETE ON time_off
FOR EACH ROW EXECUTE FUNCTION record_mentor_update('mentor');

-- Only changes by hand do this. The mentor's free time and figures change.
CREATE OR REPLACE TRIGGER bookings_moved_or_deleted AFTER UPDATE OF mentor_id OR DELETE ON bookings
FOR EACH ROW EXECUTE FUNCTION record_mentor_update('lists');

CREATE OR REPLACE TRIGGER reviews_change_recorded AFTER UPDATE ON reviews
FOR EACH ROW EXECUTE FUNCTION record_mentor_update('lists');

CREATE OR REPLACE FUNCTION record_review() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
    v reviews := coalesce(NEW, OLD);
BEGIN
    INSERT INTO events (type, object_id, mentor_id, mentee_id, stale)
    VALUES (
        CASE TG_OP WHEN 'INSERT' THEN 'review.created' ELSE 'review.removed' END,
        v.id,
        v.mentor_id,
        v.mentee_id,
        'lists'
    );
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER reviews_recorded AFTER INSERT OR DELETE ON reviews
FOR EACH ROW EXECUTE FUNCTION record_review();

-- Servers remember the claims of users. A review shows the name and the picture of the mentee who
-- wrote it.
CREATE OR REPLACE FUNCTION record_user() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO events (type, user_id, stale)
    VALUES ('user.updated', coalesce(NEW.id, OLD.id), 'user');
    IF TG_OP = 'UPDATE' AND (OLD.name, OLD.picture) IS DISTINCT FROM (NEW.name, NEW.picture) THEN
        PERFORM record_mentor(reviewed.mentor_id, 'mentor')
        FROM (
            SELECT DISTINCT v.mentor_id
            FROM reviews AS v
            WHERE v.mentee_id = NEW.id
        ) AS reviewed;
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER users_recorded AFTER UPDATE OR DELETE ON users
FOR EACH ROW EXECUTE FUNCTION record_user();

-- A change as the two parties see it.
CREATE OR REPLACE FUNCTION change_json(e events, mentor_user_id text) RETURNS TABLE (body json)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT json_build_object(
        'from', e.old_status,
        'to', e.status,
        'by', CASE
            WHEN e.source = 'sweep' THEN 'system'
            WHEN e.source = 'database' THEN 'admin'
            WHEN e.user_id = mentor_user_id THEN 'mentor'
            ELSE 'mentee'
        END,
        'reason', e.reason,
        'startTime', iso(e.start_time),
        'endTime', iso(e.end_time),
        'at', iso(e.created_at)
    )
$$;

-- An event as its readers get it: ids, status and start. Readers fetch the rest.
CREATE OR REPLACE FUNCTION event_json(e events) RETURNS TABLE (body json)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT json_build_object(
        'id', e.xid || '-' || e.id,
        'type', e.type,
        'createdAt', iso(e.created_at),
        'data', json_strip_nulls(
            json_build_object(
                'object', split_part(e.type, '.', 1),
                'id', e.object_id,
                'mentorId', e.mentor_id,
                'mentorUserId', (
                    SELECT m.user_id
                    FROM mentors AS m
                    WHERE m.id = e.mentor_id
                ),
                'menteeId', e.mentee_id,
                'status', e.status,
                'startTime', iso(e.start_time)
            )
        )
    )
$$;

-- Deletes old events that are not part of a history; returns how many. It runs with the rights of
-- its owner: the role of the server must not delete the history.
CREATE OR REPLACE FUNCTION delete_old_events(batch_size bigint) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    WITH old AS (
        SELECT
            e.xid,
            e.id
        FROM events AS e
        WHERE NOT e.is_history AND e.created_at < now() - interval '30 days'
        ORDER BY e.created_at
        LIMIT batch_size
        FOR UPDATE SKIP LOCKED
    ),

    deleted AS (
        DELETE FROM events
        USING old
        WHERE events.xid = old.xid AND events.id = old.id
        RETURNING events.id
    )

    SELECT count(*)
    FROM deleted
$$;
