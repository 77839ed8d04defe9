-- When mentors may be free, for GET /mentors/available (sql/functions/12_available.sql).
-- depends: 0004.time 0005.search 0006.discover

-- The indexes are made while nothing writes (docs/upgrading.md).
-- squawk-ignore-file require-concurrent-index-creation

-- At which minutes from Monday 00:00 UTC a mentor's slots may start. Each mentor with weekly
-- windows has a row.
CREATE TABLE mentor_starts (
    mentor_id uuid NOT NULL,
    starts smallint[] NOT NULL,
    CONSTRAINT mentor_starts_pkey PRIMARY KEY (mentor_id),
    CONSTRAINT mentor_starts_mentor_fkey
    FOREIGN KEY (mentor_id) REFERENCES mentors (id) ON DELETE CASCADE
);

-- Without a list of pending entries, which each read would look through.
CREATE INDEX mentor_starts_by_minute ON mentor_starts USING gin (starts) WITH (fastupdate = off);

CREATE INDEX availability_overrides_by_day ON availability_overrides (day);
CREATE INDEX time_off_by_start ON time_off (starts_at);
