-- demo.mentors: mentor profiles and their weekly windows.
-- $1 mentors jsonb
-- $2 windows jsonb
-- returns nothing
WITH profiles AS (
    INSERT INTO mentors (
        id, user_id, full_name, headline, bio, expertise, location, profile_image_url, links,
        session_duration, buffer_time, timezone, default_meeting_link,
        session_rate, session_currency, visibility, created_at, updated_at
    )
    SELECT
        coalesce(m.id, uuidv7()),
        m.sub,
        m.name,
        m.headline,
        m.bio,
        m.expertise,
        m.location,
        m.picture,
        m.links,
        m.duration,
        m.buffer,
        m.timezone,
        m.meeting,
        m.rate,
        m.currency,
        CASE WHEN m.private THEN 'private' ELSE 'public' END,
        m.joined_at AS created_at,
        m.joined_at AS updated_at
    FROM
        jsonb_to_recordset($1::jsonb)
            AS m (
                id uuid, sub text, name text, headline text, bio text, expertise text[],
                location text, picture text, links jsonb, duration integer, buffer integer,
                timezone text, meeting text, rate numeric, currency text, private boolean,
                joined_at timestamptz
            )
    RETURNING id, user_id
)

INSERT INTO availability_windows (id, mentor_id, day_of_week, start_time, end_time)
SELECT
    coalesce(w.id, uuidv7()),
    profiles.id,
    w.day,
    w.start_time,
    w.end_time
FROM
    jsonb_to_recordset($2::jsonb)
        AS w (id uuid, mentor text, day smallint, start_time time, end_time time)
INNER JOIN profiles ON profiles.user_id = w.mentor;
