-- availability.explain: whether a mentee can request a time of a mentor, and if not, why.
-- $1 user_id   text
-- $2 starts_at text
-- $3 duration  integer
-- returns body; no row without a profile
SELECT
    json_build_object(
        'free', count(reason.code) = 0,
        'reasons', coalesce(
            json_agg(json_build_object('code', reason.code, 'detail', reason.detail))
            FILTER (WHERE reason.code IS NOT NULL), '[]'
        )
    ) AS body
FROM mentors AS m
LEFT JOIN LATERAL unavailable_because(
    m,
    $2::text::timestamptz,
    $2::text::timestamptz + make_interval(mins => coalesce($3::integer, m.session_duration))
) AS reason ON TRUE
WHERE m.user_id = $1
GROUP BY m.id;
