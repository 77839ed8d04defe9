-- For databases that applied 0001.schema, 0002.adopt or 0003.events on 2026-11-26, before the last
-- change of these files. All others have nothing to change.
-- depends: 0010.counts

-- Both tables are locked for an instant, while nothing writes (docs/upgrading.md).
-- squawk-ignore-file

ALTER TABLE applied_functions ADD COLUMN IF NOT EXISTS triggers_hash text NOT NULL DEFAULT '';
ALTER TABLE applied_functions ALTER COLUMN triggers_hash DROP DEFAULT;

ALTER TABLE events
DROP CONSTRAINT IF EXISTS events_type,
DROP CONSTRAINT IF EXISTS events_source,
DROP CONSTRAINT IF EXISTS events_user,
DROP CONSTRAINT IF EXISTS events_history;
