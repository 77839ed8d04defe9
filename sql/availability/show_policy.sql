-- availability.show_policy: a mentor's rules for requests.
-- $1 user_id text
-- returns body; no row without a profile
SELECT policy_json(m) AS body
FROM mentors AS m
WHERE m.user_id = $1;
