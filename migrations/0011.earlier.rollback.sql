-- Nothing to undo: the tables are those that 0001.schema and 0003.events make.
SELECT 1;
