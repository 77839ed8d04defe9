-- A mentor's calendar: overrides of days, time off, a policy, and hours in a time zone.
-- depends: 0003.events

-- The new constraints of mentors are checked while nothing writes (docs/upgrading.md).
-- squawk-ignore-file adding-not-nullable-field, constraint-missing-not-valid

ALTER TABLE mentors
-- an IANA name; weekly windows and overrides are local times of it
ADD COLUMN availability_timezone text NOT NULL DEFAULT 'UTC',
-- the policy, which binds mentees; null: no limit
ADD COLUMN minimum_notice_minutes integer NOT NULL DEFAULT 0,
ADD COLUMN horizon_days integer,
ADD COLUMN max_sessions_per_day integer,
ADD COLUMN max_sessions_per_week integer,
ADD COLUMN cancel_cutoff_hours integer NOT NULL DEFAULT 0,
ADD COLUMN accepting_requests boolean NOT NULL DEFAULT TRUE,
ADD CONSTRAINT mentors_policy CHECK (
    minimum_notice_minutes BETWEEN 0 AND 43200
    AND horizon_days BETWEEN 1 AND 730
    AND max_sessions_per_day BETWEEN 1 AND 50
    AND max_sessions_per_week BETWEEN 1 AND 200
    AND cancel_cutoff_hours BETWEEN 0 AND 168
);

-- For availability_overrides_windows: whether these are at most 10 windows of whole minutes, in
-- order, of which no two overlap.
CREATE OR REPLACE FUNCTION are_windows(start_times time[], end_times time[]) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT
        cardinality(start_times) <= 10
        AND cardinality(start_times) = cardinality(end_times)
        AND coalesce(
            bool_and(
                w.starts < w.ends
                AND w.starts >= w.earlier_end
                AND extract(SECOND FROM w.starts) = 0
                AND extract(SECOND FROM w.ends) = 0
            ),
            TRUE
        )
    FROM (
        SELECT
            t.starts,
            t.ends,
            lag(t.ends, 1, '00:00') OVER (ORDER BY t.place) AS earlier_end
        FROM unnest(start_times, end_times) WITH ORDINALITY AS t (starts, ends, place)
    ) AS w
$$;

-- The windows of one day, which replace the weekly ones of that day. None: closed.
CREATE TABLE availability_overrides (
    mentor_id uuid NOT NULL,
    day date NOT NULL,
    start_times time[] NOT NULL,
    end_times time[] NOT NULL,
    CONSTRAINT availability_overrides_pkey PRIMARY KEY (mentor_id, day),
    CONSTRAINT availability_overrides_mentor_fkey
    FOREIGN KEY (mentor_id) REFERENCES mentors (id) ON DELETE CASCADE,
    CONSTRAINT availability_overrides_windows CHECK (are_windows(start_times, end_times))
);

CREATE TABLE time_off (
    id uuid NOT NULL DEFAULT uuidv7(),
    mentor_id uuid NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    -- of time off in whole days; a trigger keeps the instants those of the mentor's zone
    start_date date,
    end_date date,
    note text,
    CONSTRAINT time_off_pkey PRIMARY KEY (id),
    CONSTRAINT time_off_mentor_fkey
    FOREIGN KEY (mentor_id) REFERENCES mentors (id) ON DELETE CASCADE,
    CONSTRAINT time_off_order CHECK (starts_at <= ends_at),
    CONSTRAINT time_off_dates CHECK ((start_date IS NULL) = (end_date IS NULL))
);

CREATE INDEX time_off_by_mentor ON time_off (mentor_id, ends_at);
