DROP FUNCTION mentor_slots;
