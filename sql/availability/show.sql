-- availability.show: a mentor's weekly windows and settings.
-- $1 user_id text
-- returns body; no row without a profile
SELECT settings.body
FROM mentors AS m
CROSS JOIN LATERAL availability_json(m) AS settings
WHERE m.user_id = $1;
