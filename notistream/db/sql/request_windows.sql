-- name: reserve
-- Up to $2 requests of the limit $3 of a key's window of $4 seconds, at most half of what is left, so that whoever
-- asks first does not get all. Statements on a key come one after the other, and none is counted in a past window.
INSERT INTO request_windows AS w (key_id, span_s, number, used, granted)
SELECT $1::uuid, $4::integer, floor(extract(epoch FROM clock_timestamp()) / $4)::bigint, share, share
FROM (SELECT least($2::integer, ($3::integer + 1) / 2) AS share) s
ON CONFLICT (key_id, span_s) DO UPDATE SET
    number = greatest(w.number, excluded.number),
    used = CASE WHEN w.number < excluded.number THEN excluded.used
        ELSE w.used + greatest(least($2, ($3 - w.used + 1) / 2), 0) END,
    granted = CASE WHEN w.number < excluded.number THEN excluded.granted
        ELSE greatest(least($2, ($3 - w.used + 1) / 2), 0) END
RETURNING number, granted, greatest($3 - used, 0) AS unreserved,
    ((number + 1) * $4 - extract(epoch FROM clock_timestamp()))::double precision AS ends_in;
