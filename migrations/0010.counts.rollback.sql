-- Functions, views and triggers go first: they are those of the newer code. The code that is
-- started next applies its own.
DO $$
DECLARE
    object text;
BEGIN
    FOR object IN
        SELECT o.object
        FROM applied_functions AS a
        CROSS JOIN unnest(a.objects) WITH ORDINALITY AS o (object, place)
        ORDER BY o.place
    LOOP
        EXECUTE regexp_replace(object, '^\w+', 'DROP \& IF EXISTS');
    END LOOP;
END
$$;
DELETE FROM applied_functions;
CREATE TABLE mentor_counts (
    visibility text NOT NULL,
    mentors bigint NOT NULL,
    CONSTRAINT mentor_counts_pkey PRIMARY KEY (visibility),
    CONSTRAINT mentor_counts_not_negative CHECK (mentors >= 0)
);

INSERT INTO mentor_counts (visibility, mentors)
SELECT
    v.visibility,
    count(m.id)
FROM (VALUES ('public'), ('private')) AS v (visibility)
LEFT JOIN mentors AS m ON m.visibility = v.visibility
GROUP BY v.visibility;
