DROP TRIGGER IF EXISTS bookings_resequenced ON bookings;
DROP FUNCTION IF EXISTS bookings_resequence();
ALTER TABLE bookings DROP COLUMN IF EXISTS calendar_sequence;
DROP FUNCTION IF EXISTS calendar_status(text);
