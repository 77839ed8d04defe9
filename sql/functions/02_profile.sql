-- Names and images of people, and the two parties of a request, a session or a review.
--
-- image_url() and party() are used by the files of the other resources.

-- The address of a mentor's image. The server sets its public base for each connection, in
-- `mentorapi.public_url`. Without that setting (psql) the address is a path.
CREATE OR REPLACE FUNCTION image_url(m mentors) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT coalesce(
        coalesce(current_setting('mentorapi.public_url', true), '')
        || '/api/images/' || m.profile_image_file,
        m.profile_image_url
    )
$$;

-- A mentor or a mentee inside a request, a session or a review.
CREATE OR REPLACE FUNCTION party(m mentors) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT json_build_object(
        'id', m.id, 'userId', m.user_id, 'name', m.full_name, 'avatar', image_url(m)
    )
$$;

CREATE OR REPLACE FUNCTION party(u users) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT json_build_object('id', u.id, 'name', u.name, 'avatar', u.picture) $$;

-- The name in the user's tokens.
CREATE OR REPLACE FUNCTION token_name(user_id text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT u.name FROM users AS u WHERE u.id = user_id $$;

-- A profile shows the name and the picture of the token until it has its own. A profile that has
-- both is updated, too: the update waits for a transaction that is about to clear its name.
CREATE OR REPLACE FUNCTION users_rename_profile() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    UPDATE mentors
    SET
        full_name = CASE WHEN own_name THEN full_name ELSE NEW.name END,
        profile_image_url = CASE WHEN own_image THEN profile_image_url ELSE NEW.picture END
    WHERE user_id = NEW.id;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER users_renamed AFTER UPDATE OF name, picture ON users
FOR EACH ROW
WHEN ((old.name, old.picture) IS DISTINCT FROM (new.name, new.picture))
EXECUTE FUNCTION users_rename_profile();

-- The profile as its owner sees it.
CREATE OR REPLACE FUNCTION mentor_profile(m mentors) RETURNS TABLE (body json)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
    SELECT row_to_json(fields)
    FROM (
        SELECT
            m.id,
            m.user_id AS "userId",
            m.full_name AS "fullName",
            m.headline,
            m.bio,
            m.expertise,
            m.languages,
            m.location,
            image_url(m) AS "profileImageUrl",
            m.links,
            m.session_duration AS "sessionDuration",
            m.buffer_time AS "bufferTime",
            m.timezone,
            m.default_meeting_link AS "defaultMeetingLink",
            trim_scale(m.session_rate) AS "sessionRate",
            m.session_currency AS "sessionCurrency",
            m.visibility
    ) AS fields
$$;
