-- name: lock
SELECT pg_advisory_xact_lock(hashtextextended('cap:' || @tenant_id::uuid || ':'
    || @recipient_id::text || ':' || @channel::text, 0));

-- name: take
-- Counts the notification where fewer than @count others were let through in the last @window; it
-- stays counted once it was.
WITH uses AS (
    SELECT at FROM cap_uses
    WHERE tenant_id = @tenant_id AND recipient_id = @recipient_id AND channel = @channel
        AND notification_id <> @notification_id AND at > now() - @window::interval
), taken AS (
    INSERT INTO cap_uses (tenant_id, recipient_id, channel, notification_id)
    SELECT @tenant_id, @recipient_id, @channel, @notification_id
    WHERE (SELECT count(*) FROM uses) < @count
    ON CONFLICT (tenant_id, recipient_id, channel, notification_id) DO UPDATE SET at = now()
    RETURNING 1
)
SELECT EXISTS (SELECT FROM taken) AS allowed, (SELECT count(*) FROM uses) AS used,
    (SELECT at + @window::interval
     FROM uses ORDER BY at DESC OFFSET greatest(@count - 1, 0) LIMIT 1) AS free_at;

-- name: forget
-- Uses that no window can hold any more; some at a time.
WITH old AS (
    DELETE FROM cap_uses WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM cap_uses WHERE at < now() - @window::interval ORDER BY at LIMIT 1000))
    RETURNING 1
)
SELECT count(*) AS count FROM old;
