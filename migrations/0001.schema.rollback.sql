-- The extensions stay: others in the database may use them.
ALTER TABLE requests DROP CONSTRAINT requests_booking_fkey;
DROP TABLE reviews;
DROP TABLE bookings;
DROP FUNCTION booking_is_live;
DROP FUNCTION occupied;
DROP TABLE requests;
DROP TABLE availability_windows;
DROP TABLE mentors;
DROP FUNCTION mentors_learn_words;
DROP TABLE search_vocabulary;
DROP FUNCTION words_in;
DROP FUNCTION fold(text[]);
DROP FUNCTION fold(text);
DROP TABLE users;
DROP FUNCTION touch_updated_at;
DROP FUNCTION public.uuidv7;
