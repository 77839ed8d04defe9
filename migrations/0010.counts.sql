-- The bitmaps of the search count the public mentors (public_mentor_count in
-- sql/functions/09_search.sql). Every new profile and every change of a visibility waited for the
-- rows of this table, and two changes could deadlock.
-- depends: 0009.flips

-- The older code, which reads this table, is stopped (docs/upgrading.md).
-- squawk-ignore-file

DROP TRIGGER IF EXISTS mentors_counted ON mentors;
DROP TRIGGER IF EXISTS mentors_recounted ON mentors;
DROP TABLE mentor_counts;
