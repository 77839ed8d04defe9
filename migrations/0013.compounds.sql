-- The index of the search keeps compounds as one word, too: `frontend` for `front-end`.
-- sql/functions/09_search.sql says how. `migrate` fills both tables again.
-- depends: 0012.users

TRUNCATE search_postings, search_vocabulary;
