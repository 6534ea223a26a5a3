-- name: lock
SELECT pg_advisory_xact_lock(hashtextextended('cap:' || $1::text || ':' || $2::text || ':' || $3::text, 0));

-- name: take
-- Counts the notification where fewer than $5 others were let through in the last $6; it stays counted once it was.
WITH uses AS (
    SELECT at FROM cap_uses
    WHERE tenant_id = $1 AND recipient_id = $2 AND channel = $3 AND notification_id <> $4 AND at > now() - $6::interval
), taken AS (
    INSERT INTO cap_uses (tenant_id, recipient_id, channel, notification_id)
    SELECT $1, $2, $3, $4 WHERE (SELECT count(*) FROM uses) < $5
    ON CONFLICT (tenant_id, recipient_id, channel, notification_id) DO UPDATE SET at = now()
    RETURNING 1
)
SELECT EXISTS (SELECT FROM taken) AS allowed, (SELECT count(*) FROM uses) AS used,
    (SELECT at + $6::interval FROM uses ORDER BY at DESC OFFSET greatest($5 - 1, 0) LIMIT 1) AS free_at;

-- name: forget
-- Uses that no window can hold any more; some at a time.
WITH old AS (
    DELETE FROM cap_uses WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM cap_uses WHERE at < now() - $1::interval ORDER BY at LIMIT 1000))
    RETURNING 1
)
SELECT count(*) AS count FROM old;
