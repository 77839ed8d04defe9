-- availability.set_policy: replace a mentor's rules for requests.
-- $1 user_id                text
-- $2 minimum_notice_minutes integer
-- $3 horizon_days           integer
-- $4 max_sessions_per_day   integer
-- $5 max_sessions_per_week  integer
-- $6 cancel_cutoff_hours    integer
-- $7 accepting_requests     boolean
-- returns body; no row without a profile
UPDATE mentors
SET
    minimum_notice_minutes = $2,
    horizon_days = $3,
    max_sessions_per_day = $4,
    max_sessions_per_week = $5,
    cancel_cutoff_hours = $6,
    accepting_requests = $7
WHERE mentors.user_id = $1
RETURNING policy_json(mentors) AS body;
