-- mentors.clean_search: delete words of the search that no public profile has any more.
-- $1 after text
-- $2 most  integer
-- returns deleted, how many of the next words after $1, and last, the word to go on after (or null)
SELECT
    deleted,
    last
FROM search_clean($1, $2);
