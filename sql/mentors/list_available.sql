-- mentors.list_available: the mentors with a free slot from one instant to another, soonest first.
-- $1 filters   jsonb
-- $2 from_time text
-- $3 to_time   text
-- $4 limit     integer
-- returns items, a JSON array of mentor cards with their first three slots, and seconds_valid,
-- until the first of these slots can no longer be requested; 0 if pending requests count
SELECT
    coalesce(
        json_agg(
            (left(card.body::text, -1) || ',"slots":' || free.slots::text || '}')::json
            ORDER BY free.place
        ) FILTER (WHERE m.id IS NOT NULL), '[]'
    ) AS items,
    coalesce(
        min(CASE
            -- The row of nulls: a mentor with limits was checked. Pending requests count there, and
            -- their changes make no response stale.
            WHEN free.id IS NULL THEN 0
            ELSE
                extract(EPOCH FROM free.first_start - now()) - 60 * m.minimum_notice_minutes
        END), 'Infinity'
    )::double precision AS seconds_valid
FROM
    mentors_available(
        $1::jsonb, $2::text::timestamptz, $3::text::timestamptz, $4
    ) WITH ORDINALITY AS free (id, first_start, slots, place)
LEFT JOIN mentors AS m ON m.id = free.id
CROSS JOIN LATERAL mentor_card(m) AS card;
