DROP FUNCTION change_shape;
DROP TRIGGER bookings_change_recorded ON bookings;
DROP TRIGGER bookings_recorded ON bookings;
DROP TRIGGER requests_change_recorded ON requests;
DROP TRIGGER requests_recorded ON requests;
DROP FUNCTION record_state_change;
DROP FUNCTION act_for;
DROP TABLE state_changes;
