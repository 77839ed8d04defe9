-- Data for test_plans.py: much of it, and little for each.
--
-- 3,000 mentors and as many mentees with 10 requests, 10 sessions and 4 reviews each. Of the
-- sessions one lies in the future. Request and session 7 are mentor 7's with mentee 7, 3007 mentor
-- 7's with mentee 8, 6007 with mentee 9 and so on: i / 3000 counts the rounds.

INSERT INTO users (id, name)
SELECT kind || i, initcap(kind) || ' ' || i
FROM generate_series(0, 2999) AS i, (VALUES ('mentor'), ('mentee')) AS kinds (kind);

INSERT INTO mentors (
    id, user_id, full_name, headline, bio, expertise, buffer_time, review_count, rating_sum
)
SELECT
    md5('mentor' || i)::uuid,
    'mentor' || i,
    'Mentor ' || md5(i::text),
    'Headline ' || md5(i::text || 'h') || CASE WHEN i = 7 THEN ' %' ELSE '' END,
    repeat(md5(i::text || 'b') || ' ', 10),
    ARRAY[md5('e' || i % 50)],
    15,
    4,
    4 + i % 17
FROM generate_series(0, 2999) AS i;

SET session_replication_role = replica;

INSERT INTO availability_windows (id, mentor_id, day_of_week, start_time, end_time)
SELECT md5('window' || day || '.' || i)::uuid, md5('mentor' || i)::uuid, day, '09:00', '17:00'
FROM generate_series(0, 2999) AS i, generate_series(0, 4) AS day;

INSERT INTO availability_overrides (mentor_id, day, start_times, end_times)
SELECT md5('mentor' || i)::uuid, current_date + 20 + n, ARRAY['10:00'::time], ARRAY['12:00'::time]
FROM generate_series(0, 2999) AS i, generate_series(0, 1) AS n;

INSERT INTO time_off (id, mentor_id, starts_at, ends_at)
SELECT
    md5('time off' || i || '.' || n)::uuid,
    md5('mentor' || i)::uuid,
    now() + (20 + n) * interval '1 day',
    now() + (21 + n) * interval '1 day'
FROM generate_series(0, 2999) AS i, generate_series(0, 1) AS n;

UPDATE mentors
SET max_sessions_per_day = 5, max_sessions_per_week = 10, horizon_days = 60
WHERE user_id = 'mentor9';
SELECT compute_mentor_starts(NULL);

INSERT INTO requests (
    id, mentor_id, mentee_id, topic, start_time, end_time, session_rate, session_currency, status,
    booking_id
)
SELECT
    md5('request' || i)::uuid,
    md5('mentor' || i % 3000)::uuid,
    'mentee' || (i + i / 3000) % 3000,
    'Topic',
    at,
    at + interval '1 hour',
    0,
    'NGN',
    (ARRAY['pending', 'accepted', 'rejected'])[1 + i / 3000 % 3],
    CASE WHEN i / 3000 % 3 = 1 THEN md5('session' || i)::uuid END
FROM
    generate_series(0, 29999) AS i,
    LATERAL (
        SELECT date_trunc('day', now()) + (3 - i / 1000) * interval '1 week' - interval '36 hours'
    ) AS t (at);

INSERT INTO bookings (
    id, request_id, mentor_id, mentee_id, topic, start_time, end_time, buffer_time, status
)
SELECT
    md5('session' || i)::uuid,
    CASE WHEN i / 3000 % 3 = 1 THEN md5('request' || i)::uuid END,
    md5('mentor' || i % 3000)::uuid,
    'mentee' || (i + i / 3000) % 3000,
    'Topic',
    at,
    at + interval '1 hour',
    15,
    CASE
        WHEN i < 3000 AND i % 2 = 0 THEN 'pending'
        WHEN i < 3000 THEN 'confirmed'
        WHEN i < 6000 AND i % 100 = 8 THEN 'in_progress'
        WHEN i < 6000 THEN 'pending_completion'
        WHEN i < 15000 THEN 'cancelled'
        ELSE 'completed'
    END
FROM
    generate_series(0, 29999) AS i,
    LATERAL (
        SELECT date_trunc('day', now()) + (3 - i / 1000) * interval '1 week' - interval '48 hours'
    ) AS t (at);

INSERT INTO reviews (id, booking_id, mentor_id, mentee_id, rating)
SELECT md5('review' || i)::uuid, b.id, b.mentor_id, b.mentee_id, 1 + i % 5
FROM generate_series(15000, 26999) AS i
JOIN bookings AS b ON b.id = md5('session' || i)::uuid;

INSERT INTO idempotency_keys (user_id, route, key, fingerprint, status, answer, created_at)
SELECT 'mentee' || i % 3000, 'POST /api/requests', i, '', 201, '{}', now() - i * interval '2.882 s'
FROM generate_series(0, 29999) AS i;

INSERT INTO events (type, object_id, mentor_id, status, is_history, source, created_at)
SELECT 'request.created', r.id, r.mentor_id, r.status, true, 'database', r.updated_at
FROM requests AS r;

INSERT INTO events (type, object_id, mentor_id, status, is_history, source, created_at, stale)
SELECT 'session.confirmed', b.id, b.mentor_id, b.status, true, 'database', b.updated_at, 'mentor'
FROM bookings AS b;

INSERT INTO events (type, object_id, mentor_id, stale, created_at)
SELECT 'mentor.updated', m.id, m.id, 'mentor', now() - i * interval '2 hours'
FROM mentors AS m, generate_series(1, 400) AS i
WHERE m.number <= 100;

SET session_replication_role = origin;
