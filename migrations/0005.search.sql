-- The search keeps its words as sql/functions/09_search.sql explains. That file fills both tables.
-- The texts of profiles are no longer kept folded: only words are looked at.
-- depends: 0003.events

-- The tables are filled anew while nothing writes (docs/upgrading.md).
-- squawk-ignore-file ban-drop-column, ban-drop-function, ban-drop-table, ban-drop-view
-- squawk-ignore-file ban-drop-trigger, require-concurrent-index-creation

-- Functions and triggers of the search are made again from sql/functions/.
DROP VIEW IF EXISTS search_postings_recounted;
DROP FUNCTION IF EXISTS mentors_index() CASCADE;

ALTER TABLE mentors
DROP COLUMN IF EXISTS search_name,
DROP COLUMN IF EXISTS search_expertise,
DROP COLUMN IF EXISTS search_headline,
DROP COLUMN IF EXISTS search_bio;

DROP TABLE IF EXISTS search_postings;
DROP TABLE IF EXISTS search_vocabulary;
DROP FUNCTION IF EXISTS short_parts(text);
DROP FUNCTION IF EXISTS fold(text[]);
DROP FUNCTION IF EXISTS fold(text);

-- The orders `rate` and `newest` of the list.
CREATE INDEX IF NOT EXISTS mentors_cheapest_first ON mentors (
    session_rate, rating DESC NULLS LAST, review_count DESC, total_sessions DESC, id
) INCLUDE (number) WHERE visibility = 'public';
CREATE INDEX IF NOT EXISTS mentors_newest_first ON mentors (
    created_at DESC, rating DESC NULLS LAST, review_count DESC, total_sessions DESC, id
) INCLUDE (number) WHERE visibility = 'public';

-- All words that profiles have or had.
CREATE TABLE search_vocabulary (
    word text COLLATE "C" NOT NULL,
    -- search_keys(word)
    keys text[] COLLATE "C" NOT NULL,
    CONSTRAINT search_vocabulary_pkey PRIMARY KEY (word)
);

CREATE INDEX search_vocabulary_keys ON search_vocabulary USING gin (keys);

-- Which public mentors have a word in a field, as a bitmap for each block of mentors. The width is
-- search_block_size(). PostgreSQL compresses only rows above toast_tuple_target, 2 kB by default.
CREATE TABLE search_postings (
    -- name (of the mentor or of an expertise), headline, bio; or a filter: expertise, language,
    -- currency, duration
    field text COLLATE "C" NOT NULL,
    word text COLLATE "C" NOT NULL,
    block integer NOT NULL,
    mentors bit(16384) NOT NULL,
    CONSTRAINT search_postings_pkey PRIMARY KEY (field, word, block)
) WITH (toast_tuple_target = 128);

ALTER TABLE search_postings ALTER COLUMN mentors SET STORAGE MAIN;
