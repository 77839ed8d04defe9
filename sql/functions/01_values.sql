-- Instants, durations, texts and links: small functions without tables.
--
-- Used by all other files of this folder and by many statements of sql/.

-- RFC 3339 in UTC, with milliseconds only if there are any.
CREATE OR REPLACE FUNCTION iso(instant timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT replace(
        to_char(instant AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS'), '.000', ''
    ) || 'Z'
$$;

CREATE OR REPLACE FUNCTION minutes_between(start_time timestamptz, end_time timestamptz)
RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT (extract(EPOCH FROM end_time - start_time) / 60)::integer $$;

-- Whether a text has a character that a person can see. Not visible: control and format characters,
-- blanks, Hangul fillers, the empty Braille cell, tags. In a collation of C, \s has ASCII only.
CREATE OR REPLACE FUNCTION has_text(words text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT coalesce(
        words
        ~ '[^\u0001-\u0020\u007f-\u00a0\u00ad\u061c\u115f\u1160\u1680\u180e\u2000-\u200f'
        '\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufeff\uffa0\U000e0000-\U000e0fff]',
        FALSE
    )
$$;

-- A merge patch (RFC 7396) of a profile's links: null removes a link.
CREATE OR REPLACE FUNCTION merge_links(links jsonb, patch jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT jsonb_strip_nulls(links || patch) $$;

CREATE OR REPLACE FUNCTION count_links(links jsonb) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT count(*) FROM jsonb_object_keys(links) $$;

-- Sets updated_at at each change of a row.
CREATE OR REPLACE FUNCTION touch_updated_at() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    -- now() is when the transaction began. That may be before the change that it waited for.
    NEW.updated_at := greatest(now(), OLD.updated_at);
    RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER requests_touch BEFORE UPDATE ON requests
FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE OR REPLACE TRIGGER mentors_touch BEFORE UPDATE ON mentors
FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE OR REPLACE TRIGGER bookings_touch BEFORE UPDATE ON bookings
FOR EACH ROW EXECUTE FUNCTION touch_updated_at();
