-- profile.show_dashboard: a mentor's own figures.
-- $1 user_id text
-- returns body; no row without a profile
SELECT
    json_build_object(
        'totalMentees', figures.mentees,
        'totalEarnings', trim_scale(figures.earnings),
        'totalSessions', m.total_sessions,
        'pendingBookings', (
            SELECT count(*)
            FROM requests AS r
            WHERE r.mentor_id = m.id AND r.status = 'pending' AND r.start_time > now()
        ),
        'upcomingBookings', figures.upcoming,
        'avgRating', m.rating,
        'totalReviews', m.review_count
    ) AS body
FROM mentors AS m
INNER JOIN LATERAL (
    SELECT
        count(DISTINCT b.mentee_id) FILTER (WHERE b.status = 'completed') AS mentees,
        coalesce(sum(b.session_rate) FILTER (
            WHERE b.status = 'completed' AND b.session_currency = m.session_currency
        ), 0) AS earnings,
        count(*) FILTER (
            WHERE b.status IN ('confirmed', 'rescheduled') AND b.start_time >= now()
        ) AS upcoming
    FROM bookings AS b
    WHERE b.mentor_id = m.id
) AS figures ON TRUE
WHERE m.user_id = $1;
