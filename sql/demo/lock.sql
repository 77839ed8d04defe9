-- demo.lock: keep everybody else from adding people until the transaction ends.
-- returns nothing
LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE;
