-- name: reserve
-- Up to @wanted requests of the limit @count of a key's window of @window_s seconds, at most half
-- of what is left, so that whoever asks first does not get all. Statements on a key come one after
-- the other, and none is counted in a past window.
INSERT INTO request_windows AS w (key_id, span_s, number, used, granted)
SELECT @key_id::uuid, @window_s::integer,
    floor(extract(epoch FROM clock_timestamp()) / @window_s)::bigint, share, share
FROM (SELECT least(@wanted::integer, (@count::integer + 1) / 2) AS share) s
ON CONFLICT (key_id, span_s) DO UPDATE SET
    number = greatest(w.number, excluded.number),
    used = CASE WHEN w.number < excluded.number THEN excluded.used
        ELSE w.used + greatest(least(@wanted, (@count - w.used + 1) / 2), 0) END,
    granted = CASE WHEN w.number < excluded.number THEN excluded.granted
        ELSE greatest(least(@wanted, (@count - w.used + 1) / 2), 0) END
RETURNING number, granted, greatest(@count - used, 0) AS unreserved,
    ((number + 1) * @window_s - extract(epoch FROM clock_timestamp()))::double precision AS ends_in;
