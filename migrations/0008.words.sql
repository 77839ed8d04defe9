-- The index of the search keeps more for each profile: sql/functions/09_search.sql says what.
-- `migrate` fills both tables again.
-- depends: 0007.available

TRUNCATE search_postings, search_vocabulary;
