-- events.expire: delete events older than 30 days that are not history, a batch at a time.
-- $1 batch_size bigint
-- returns deleted, how many there were
SELECT delete_old_events($1) AS deleted;
