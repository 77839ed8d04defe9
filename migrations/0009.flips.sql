-- A bitmap of the search may have several rows, so that no writer waits for another:
-- sql/functions/09_search.sql says how. `migrate` fills both tables again, also with ratings.
-- depends: 0008.words

-- The tables are emptied while nothing writes (docs/upgrading.md).
-- squawk-ignore-file

TRUNCATE search_postings, search_vocabulary;
ALTER TABLE search_postings
DROP CONSTRAINT search_postings_pkey,
ADD COLUMN IF NOT EXISTS id bigint GENERATED ALWAYS AS IDENTITY,
ADD CONSTRAINT search_postings_pkey PRIMARY KEY (field, word, block, id);

ALTER TABLE search_vocabulary
DROP CONSTRAINT search_vocabulary_pkey,
ADD COLUMN IF NOT EXISTS id bigint GENERATED ALWAYS AS IDENTITY,
ADD CONSTRAINT search_vocabulary_pkey PRIMARY KEY (word, id);
