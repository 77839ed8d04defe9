-- A database of the size in the setting `load.mentors`: for each mentor 10 windows, 10 sessions with
-- their requests, and 5 reviews, and two mentees for each mentor. Deterministic.
-- The first mentor has 40 windows and 20 sessions in the coming two weeks; the first mentee has 20
-- sessions, 10 of them to come. Triggers are off, so what they keep is written down here, and
-- deploy/database/drift.sql finds no difference.
SET session_replication_role = replica;
SET synchronous_commit = off;
SET maintenance_work_mem = '512MB';

CREATE FUNCTION pg_temp.word(n bigint) RETURNS text LANGUAGE sql IMMUTABLE
AS $$
    SELECT (
        '{design,engineering,product,leadership,career,interviews,python,javascript,typescript,'
        'react,kubernetes,databases,postgres,security,testing,writing,speaking,negotiation,hiring,'
        'strategy,marketing,sales,finance,fundraising,research,statistics,analytics,machine,'
        'learning,robotics,mobile,android,swift,kotlin,rust,golang,java,haskell,accessibility,'
        'branding,illustration,photography,video,music,games,hardware,embedded,networks,cloud,'
        'observability,support,community,teaching,mentoring,coaching,wellbeing,remote,onboarding,'
        'planning,roadmaps}'::text[]
    )[1 + n % 60]
$$;

CREATE FUNCTION pg_temp.name(n bigint) RETURNS text LANGUAGE sql IMMUTABLE
AS $$
    SELECT (
        '{Amara,Zoë,Jürgen,Chidi,Mei,Ravi,Søren,Fátima,Luca,Ingrid,Kwame,Noor,Pablo,Yuki,Tomás,'
        'Aisha,Björn,Carmen,Dmitri,Elif,Farid,Grace,Hana,Ivan,Jamila,Kofi,Lena,Mateo,Nadia,'
        'Oluwaseun}'::text[]
    )[1 + n % 30]
$$;

-- Ids that say whose they are: kind, then number.
CREATE FUNCTION pg_temp.id(kind text, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE
AS 'SELECT (kind || ''000000-0000-7000-8000-'' || lpad(to_hex(n), 12, ''0''))::uuid';

INSERT INTO users (id, name, picture)
SELECT
    'mentor-' || n,
    pg_temp.name(n) || ' ' || pg_temp.name(n / 30) || ' ' || n,
    'https://images.example.com/' || n
FROM generate_series(1, current_setting('load.mentors')::bigint) AS n;

INSERT INTO users (id, name)
SELECT
    'mentee-' || n,
    pg_temp.name(n * 7) || ' ' || n
FROM generate_series(1, 2 * current_setting('load.mentors')::bigint) AS n;

INSERT INTO mentors (
    id, user_id, full_name, headline, bio, expertise, location, profile_image_url, session_rate,
    session_duration, buffer_time, review_count, rating_sum, total_sessions
)
SELECT
    pg_temp.id('aa', n),
    'mentor-' || n,
    pg_temp.name(n) || ' ' || pg_temp.name(n / 30) || ' ' || n,
    initcap(pg_temp.word(n * 3) || ' and ' || pg_temp.word(n * 11) || ' lead'),
    'I help with ' || (
        SELECT string_agg(pg_temp.word(n * 13 + k * k), ', ')
        FROM generate_series(1, 12) AS k
    ) || '. Ten years of practice, and patience.',
    ARRAY[pg_temp.word(n), pg_temp.word(n * 17 + 5), pg_temp.word(n * 29 + 1)],
    'Lagos',
    'https://images.example.com/' || n,
    50,
    60,
    CASE WHEN n = 1 THEN 15 ELSE 0 END,
    CASE WHEN n = 1 THEN 2 ELSE 5 END,
    CASE WHEN n = 1 THEN 8 ELSE 15 + n % 11 END,
    CASE WHEN n = 1 THEN 2 ELSE 9 END
FROM generate_series(1, current_setting('load.mentors')::bigint) AS n;

SELECT search_rebuild();

-- Five days of two windows; the first mentor has forty of an hour.
INSERT INTO availability_windows (mentor_id, day_of_week, start_time, end_time)
SELECT
    pg_temp.id('aa', n),
    d,
    make_time(h, 0, 0),
    make_time(h + 4, 0, 0)
FROM generate_series(2, current_setting('load.mentors')::bigint) AS n
CROSS JOIN generate_series(0, 4) AS d
CROSS JOIN (VALUES (8), (13)) AS t (h);

INSERT INTO availability_windows (mentor_id, day_of_week, start_time, end_time)
SELECT
    pg_temp.id('aa', 1),
    d,
    make_time(h, 0, 0),
    make_time(h + 1, 0, 0)
FROM generate_series(0, 4) AS d
CROSS JOIN generate_series(9, 16) AS h;

SELECT compute_mentor_starts(NULL);

-- Nine sessions past, one to come, for each mentor but the first.
CREATE TEMPORARY TABLE planned AS
SELECT
    pg_temp.id('bb', n * 10 + k) AS id,
    pg_temp.id('cc', n * 10 + k) AS request_id,
    pg_temp.id('aa', n) AS mentor_id,
    'mentee-' || 1 + (n * 31 + k * 7919) % (2 * current_setting('load.mentors')::bigint) AS mentee_id,
    date_trunc('day', now())
    + make_interval(days => CASE WHEN k = 0 THEN 3 + (n % 10)::int ELSE -7 * k END, hours => 9)
    AS start_time,
    CASE WHEN k = 0 THEN 'confirmed' ELSE 'completed' END AS status,
    -- The last five that are over are reviewed: 15 stars, and n % 11 more from the first on.
    CASE WHEN k BETWEEN 1 AND 5 THEN 3 + (n % 11 + 5 - k) / 5 END AS rating
FROM generate_series(2, current_setting('load.mentors')::bigint) AS n
CROSS JOIN generate_series(0, 9) AS k
UNION ALL
SELECT
    pg_temp.id('bb', k),
    pg_temp.id('cc', k),
    pg_temp.id('aa', 1),
    'mentee-1',
    date_trunc('day', now()) + make_interval(days => k / 2, hours => 9 + 3 * (k % 2)),
    CASE WHEN k > 1 THEN 'confirmed' ELSE 'completed' END,
    CASE WHEN k <= 1 THEN 4 END
FROM generate_series(0, 19) AS k;

INSERT INTO bookings (
    id, request_id, mentor_id, mentee_id, topic, start_time, end_time, buffer_time, location,
    status, session_rate
)
SELECT
    id,
    request_id,
    mentor_id,
    mentee_id,
    'Career advice',
    start_time,
    start_time + interval '1 hour',
    0,
    'https://meet.example.com/room',
    status,
    50
FROM planned;

INSERT INTO requests (
    id, mentor_id, mentee_id, topic, message, start_time, end_time, location, session_rate,
    session_currency, status, booking_id
)
SELECT
    request_id,
    mentor_id,
    mentee_id,
    'Career advice',
    'I would like to talk about what comes next.',
    start_time,
    start_time + interval '1 hour',
    'https://meet.example.com/room',
    50,
    'NGN',
    'accepted',
    id
FROM planned;

INSERT INTO reviews (booking_id, mentor_id, mentee_id, rating, comment)
SELECT
    id,
    mentor_id,
    mentee_id,
    rating,
    'Clear, kind and to the point.'
FROM planned
WHERE rating IS NOT NULL;

-- For the accepts: one pending request for each of the next 999 mentors and each of 60 days.
INSERT INTO requests (
    id, mentor_id, mentee_id, topic, start_time, end_time, session_rate, session_currency
)
SELECT
    pg_temp.id('dd', n * 100 + d),
    pg_temp.id('aa', n),
    'mentee-' || d,
    'Career advice',
    date_trunc('day', now()) + make_interval(days => 30 + d, hours => 14),
    date_trunc('day', now()) + make_interval(days => 30 + d, hours => 15),
    50,
    'NGN'
FROM generate_series(2, least(1000, current_setting('load.mentors')::bigint)) AS n
CROSS JOIN generate_series(1, 60) AS d;

INSERT INTO events (type, object_id, mentor_id, mentee_id, status, is_history, source)
SELECT
    'request.created',
    id,
    mentor_id,
    mentee_id,
    status,
    TRUE,
    'database'
FROM requests;

INSERT INTO events (
    type, object_id, mentor_id, mentee_id, status, start_time, end_time, is_history, source
)
SELECT
    'session.confirmed',
    id,
    mentor_id,
    mentee_id,
    status,
    start_time,
    end_time,
    TRUE,
    'database'
FROM bookings;

RESET session_replication_role;
RESET synchronous_commit;
VACUUM ANALYZE;
