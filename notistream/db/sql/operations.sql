-- name: candidates
-- A page of the tenant's notifications, newest first, or all of batch @batch_id: which of those
-- that match still wait, how many are too late, how many it looked at, and where the next page
-- begins.
WITH span AS MATERIALIZED (
    SELECT id FROM notifications
    WHERE tenant_id = @tenant_id
        AND id < coalesce(@before::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
            AND @batch_id::uuid IS NULL ORDER BY id DESC LIMIT @limit
), page AS (
    SELECT n.* FROM span CROSS JOIN LATERAL (
        SELECT id, status, channel, template_name, template_id, category FROM notifications
        WHERE id = span.id OFFSET 0) n
    UNION ALL
    SELECT id, status, channel, template_name, template_id, category FROM notifications
    WHERE tenant_id = @tenant_id AND batch_id = @batch_id
), found AS (
    SELECT id, status FROM page
    WHERE {{of_template}}
        AND (@category::text IS NULL OR category = @category)
            AND (@channel::text IS NULL OR channel = @channel)
)
SELECT ARRAY(SELECT id FROM found WHERE {{is_waiting}}) AS waiting,
    (SELECT count(*) FROM found WHERE status IN ('processing', 'unknown', 'delivered')) AS too_late,
    (SELECT count(*) FROM page) AS size,
    (SELECT id FROM page ORDER BY id LIMIT 1) AS last;

-- name: cancel
-- waiting → cancelled for those that still wait; what is being delivered returns no row.
WITH locked AS (
    SELECT id FROM notifications
    WHERE tenant_id = @tenant_id AND id = ANY (@ids::uuid[]) AND {{is_waiting}}
    ORDER BY id FOR UPDATE
), changed AS (
    UPDATE notifications n
    SET status = 'cancelled', reason = @reason, due_at = NULL, updated_at = now()
    FROM locked l WHERE n.id = l.id AND n.{{is_waiting}}
    RETURNING n.id, n.tenant_id, status_event(n) AS event
), uncounted AS (
    {{uncount_changed}}
), traced AS (
    INSERT INTO trace_steps (notification_id, gate, verdict, reason)
    SELECT id, @gate, 'cancelled', @reason FROM changed
), told AS (
    {{tell_changed}}
)
SELECT (SELECT count(*) FROM changed) AS count,
    (SELECT {{entries}} FROM told) AS entries;

-- name: lock
SELECT * FROM notifications WHERE tenant_id = @tenant_id AND id = @id FOR UPDATE;

-- name: reschedule
-- waiting → scheduled; the wake-up that may be on its way has the old seq, and claims nothing.
WITH before AS (
    SELECT scheduled_at, due_at FROM notifications WHERE id = @id
), changed AS (
    UPDATE notifications
    SET status = 'scheduled', seq = seq + 1, scheduled_at = @scheduled_at, expires_at = @expires_at,
        due_at = greatest(@scheduled_at, now()),
        reason = 'rescheduled by the sender', updated_at = now()
    WHERE tenant_id = @tenant_id AND id = @id AND {{is_waiting}}
    RETURNING *
), uncounted AS (
    {{uncount_changed}}
), traced AS (
    INSERT INTO trace_steps (notification_id, gate, verdict, reason, inputs, next_eligible_at)
    SELECT m.id, 'reschedule', 'scheduled', m.reason, jsonb_strip_nulls(jsonb_build_object(
        'scheduled_before', b.scheduled_at, 'due_before', b.due_at, 'expires_at',
            m.expires_at)), m.due_at
    FROM changed m, before b
)
SELECT * FROM changed;

-- name: resolve_delivered
-- unknown → delivered, as of the call that nobody heard the end of.
WITH changed AS (
    UPDATE notifications n
    SET status = 'delivered', reason = @reason, error_message = NULL, due_at = NULL,
        sent_at = coalesce(claimed_at, now()), updated_at = now()
    WHERE tenant_id = @tenant_id AND id = @id AND status = 'unknown'
    RETURNING n.*, status_event(n) AS event
), counted AS (
    {{count_delivered}}
), traced AS (
    INSERT INTO trace_steps (notification_id, gate, verdict, reason)
    SELECT id, 'resolve', 'delivered', @reason FROM changed
), told AS (
    {{tell_changed}}
)
SELECT (SELECT {{entries}} FROM told) AS entries;

-- name: resolve_failed
-- unknown → failed, with its dead letter and what the dead-letter topic is told of it.
WITH changed AS (
    UPDATE notifications n
    SET status = 'failed', reason = @reason, due_at = NULL, failed_at = now(), updated_at = now()
    WHERE tenant_id = @tenant_id AND id = @id AND status = 'unknown'
    RETURNING n.*, status_event(n) AS event
), past AS (
    SELECT coalesce({{past_calls}}, '[]') AS history
    FROM attempts a JOIN changed d ON a.notification_id = d.id AND a.chain = d.chain
    WHERE a.outcome <> 'not_called'
), buried AS (
    {{bury_resolved}}
), uncounted AS (
    {{uncount_changed}}
), counted AS (
    INSERT INTO channel_totals AS t (tenant_id, channel, hour, failed)
    SELECT tenant_id, channel, date_trunc('hour', now()), 1 FROM changed
    ON CONFLICT (tenant_id, channel, hour) DO UPDATE SET failed = t.failed + 1
), traced AS (
    INSERT INTO trace_steps (notification_id, gate, verdict, reason)
    SELECT id, 'resolve', 'failed', @reason FROM changed
), published AS (
    INSERT INTO outbox (tenant_id, topic, messages, ids)
    SELECT {{resolved_entry}}
    FROM changed, past
    RETURNING id, topic, messages
), told AS (
    {{tell_changed}}
)
SELECT (SELECT {{entries}}
    FROM (TABLE published UNION ALL TABLE told) e) AS entries;

-- fragment: bury_resolved
-- The dead letter of the notification in `changed`, with its `past` calls.
INSERT INTO dead_letters (id, notification_id, tenant_id, channel, reason, attempts, chain, key,
    history)
SELECT @dead_letter_id, id, tenant_id, channel, reason, attempts, chain,
    convert_to(record_key(tenant_id, recipient_id, recipient), 'UTF8'), history
FROM changed, past
ON CONFLICT (notification_id, chain) WHERE notification_id IS NOT NULL DO NOTHING

-- fragment: resolved_entry
-- Columns of the outbox entry that announces it on the dead-letter topic.
tenant_id, channel || '.dlq',
jsonb_build_array(jsonb_build_array(record_key(tenant_id, recipient_id, recipient),
    jsonb_build_object('v', 1, 'id', @dead_letter_id::uuid, 'notification_id', id,
        'tenant_id', tenant_id, 'channel', channel, 'reason', reason, 'attempts', attempts,
        'chain', chain, 'history', history, 'created_at', now()),
    {{trace_headers}})),
ARRAY[id]

-- name: resolve_resend
-- unknown → retrying, due now; what follows in the same transaction is `queue`, as for every
-- message that is due.
WITH due AS (
    UPDATE notifications
    SET status = 'retrying', reason = @reason, due_at = now(), updated_at = now()
    WHERE tenant_id = @tenant_id AND id = @id AND status = 'unknown'
    RETURNING id, seq
), traced AS (
    INSERT INTO trace_steps (notification_id, gate, verdict, reason)
    SELECT id, 'resolve', 'resend', @reason FROM due
)
SELECT id, seq FROM due;

-- name: forget_expiry
-- Who sends again what has expired wants it sent all the same.
UPDATE notifications SET expires_at = NULL
WHERE tenant_id = @tenant_id AND id = @id AND expires_at <= now()
    AND {{has_ended}};

-- name: was_replayed
SELECT notification_id FROM replayed
WHERE replay_id = @replay_id AND notification_id = @notification_id;
