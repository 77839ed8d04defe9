-- The languages of a profile.
-- depends: 0003.events

ALTER TABLE mentors
ADD COLUMN IF NOT EXISTS languages text[] NOT NULL DEFAULT '{}',
-- The table is small, and checked in milliseconds.
-- squawk-ignore constraint-missing-not-valid
ADD CONSTRAINT mentors_languages CHECK (cardinality(languages) <= 10);

COMMENT ON COLUMN mentors.languages IS 'BCP 47 tags in canonical form, the first ones preferred.';
