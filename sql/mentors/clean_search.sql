-- mentors.clean_search: delete words of the search index that no public profile has any more.
-- $1 after text
-- $2 most  integer
-- returns deleted, how many of the next $2 words after $1, and last, the word to continue after, or
-- null at the end
SELECT
    deleted,
    last
FROM search_clean($1, $2);
