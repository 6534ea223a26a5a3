-- name: current
SELECT channel, provider, reason, paused_at FROM pauses ORDER BY channel, provider;

-- name: pause
-- A second time only the reason changes.
INSERT INTO pauses (channel, provider, reason) VALUES (@channel, @provider, @reason)
ON CONFLICT (channel, provider) DO UPDATE SET reason = excluded.reason
RETURNING channel, provider, reason, paused_at;

-- name: resume
DELETE FROM pauses WHERE channel = @channel AND provider = @provider RETURNING channel;

-- name: release
-- Messages of the channel that a pause holds back are due now, whichever of its providers it was:
-- the one that is free again may serve them, and what is still paused is parked again.
WITH held AS (
    SELECT id FROM notifications
    WHERE due_at > now() AND status = 'deferred' AND channel = @channel AND reason LIKE 'paused: %'
    ORDER BY id LIMIT @limit FOR UPDATE SKIP LOCKED
), due AS (
    UPDATE notifications n
    SET due_at = now() - @grace::interval, reason = 'resumed', updated_at = now()
    FROM held WHERE n.id = held.id
    RETURNING n.id
), traced AS (
    INSERT INTO trace_steps (notification_id, gate, verdict, reason)
    SELECT id, 'pause', 'released', @channel || ' was resumed' FROM due
)
SELECT count(*) AS count FROM due;
