-- profile.show: a user's mentor profile, and how complete it is.
-- $1 user_id text
-- returns body and completeness, 0 to 100; no row without a profile
SELECT
    own.body,
    (
        15 * has_text(m.full_name)::integer
        + 15 * has_text(m.headline)::integer
        + 15 * has_text(m.bio)::integer
        + 15 * has_text(array_to_string(m.expertise, ''))::integer
        + 10 * (image_url(m) IS NOT NULL)::integer
        -- 0 is the default, and the mentor may have chosen it.
        + 10 * (m.own_rate OR m.session_rate > 0)::integer
        + 10 * (
            EXISTS (
                SELECT
                FROM availability_windows AS w
                WHERE w.mentor_id = m.id
            )
        )::integer
        + 5 * has_text(m.location)::integer
        + 5 * (m.links <> '{}')::integer
    ) AS completeness
FROM mentors AS m
CROSS JOIN LATERAL mentor_profile(m) AS own
WHERE m.user_id = $1;
