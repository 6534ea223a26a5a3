-- name: candidates
-- A page of the tenant's notifications, newest first, or all of batch @batch_id: which of those that match still wait, how
-- many are too late, how many it looked at, and where the next page begins.
WITH span AS MATERIALIZED (
    SELECT id FROM notifications
    WHERE tenant_id = @tenant_id AND id < coalesce(@before::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff') AND @batch_id::uuid IS NULL ORDER BY id DESC LIMIT @limit
), page AS (
    SELECT n.* FROM span CROSS JOIN LATERAL (
        SELECT id, status, channel, template_name, template_id, category FROM notifications
        WHERE id = span.id OFFSET 0) n
    UNION ALL
    SELECT id, status, channel, template_name, template_id, category FROM notifications
    WHERE tenant_id = @tenant_id AND batch_id = @batch_id
), found AS (
    SELECT id, status FROM page
    WHERE (@template::text IS NULL OR template_name = @template OR template_id::text = @template)
        AND (@category::text IS NULL OR category = @category) AND (@channel::text IS NULL OR channel = @channel)
)
SELECT ARRAY(SELECT id FROM found WHERE status IN ('pending', 'scheduled', 'retrying', 'deferred')) AS waiting,
    (SELECT count(*) FROM found WHERE status IN ('processing', 'unknown', 'delivered')) AS too_late,
    (SELECT count(*) FROM page) AS size,
    (SELECT id FROM page ORDER BY id LIMIT 1) AS last;

-- name: cancel
-- waiting → cancelled for those that still wait; what is being delivered returns no row.
WITH locked AS (
    SELECT id FROM notifications
    WHERE tenant_id = @tenant_id AND id = ANY (@ids::uuid[]) AND status IN ('pending', 'scheduled', 'retrying', 'deferred')
    ORDER BY id FOR UPDATE
), cancelled AS (
    UPDATE notifications n SET status = 'cancelled', reason = @reason, due_at = NULL, updated_at = now()
    FROM locked l WHERE n.id = l.id AND n.status IN ('pending', 'scheduled', 'retrying', 'deferred')
    RETURNING n.id, n.tenant_id, status_event(n) AS event
), uncounted AS (
    DELETE FROM cap_uses u USING cancelled c WHERE u.notification_id = c.id
), traced AS (
    INSERT INTO trace_steps (notification_id, gate, verdict, reason) SELECT id, @gate, 'cancelled', @reason FROM cancelled
), told AS (
    SELECT * FROM tell(ARRAY(SELECT tenant_id FROM cancelled), ARRAY(SELECT event FROM cancelled))
)
SELECT (SELECT count(*) FROM cancelled) AS count,
    (SELECT jsonb_agg(jsonb_build_array(id, topic, messages) ORDER BY id) FROM told) AS entries;

-- name: lock
SELECT * FROM notifications WHERE tenant_id = @tenant_id AND id = @id FOR UPDATE;

-- name: reschedule
-- waiting → scheduled; the wake-up that may be on its way has the old seq, and claims nothing.
WITH before AS (
    SELECT scheduled_at, due_at FROM notifications WHERE id = @id
), moved AS (
    UPDATE notifications
    SET status = 'scheduled', seq = seq + 1, scheduled_at = @scheduled_at, expires_at = @expires_at, due_at = greatest(@scheduled_at, now()),
        reason = 'rescheduled by the sender', updated_at = now()
    WHERE tenant_id = @tenant_id AND id = @id AND status IN ('pending', 'scheduled', 'retrying', 'deferred')
    RETURNING *
), uncounted AS (
    DELETE FROM cap_uses u USING moved m WHERE u.notification_id = m.id
), traced AS (
    INSERT INTO trace_steps (notification_id, gate, verdict, reason, inputs, next_eligible_at)
    SELECT m.id, 'reschedule', 'scheduled', m.reason, jsonb_strip_nulls(jsonb_build_object(
        'scheduled_before', b.scheduled_at, 'due_before', b.due_at, 'expires_at', m.expires_at)), m.due_at
    FROM moved m, before b
)
SELECT * FROM moved;

-- name: resolve_delivered
-- unknown → delivered, as of the call that nobody heard the end of.
WITH done AS (
    UPDATE notifications n
    SET status = 'delivered', reason = @reason, error_message = NULL, due_at = NULL, sent_at = coalesce(claimed_at, now()),
        updated_at = now()
    WHERE tenant_id = @tenant_id AND id = @id AND status = 'unknown'
    RETURNING n.*, status_event(n) AS event
), counted AS (
    INSERT INTO channel_totals AS t (tenant_id, channel, hour, sent, latency_ms_sum)
    SELECT tenant_id, channel, date_trunc('hour', now()), 1, extract(epoch FROM sent_at - created_at) * 1000 FROM done
    ON CONFLICT (tenant_id, channel, hour) DO UPDATE
        SET sent = t.sent + 1, latency_ms_sum = t.latency_ms_sum + excluded.latency_ms_sum
), traced AS (
    INSERT INTO trace_steps (notification_id, gate, verdict, reason) SELECT id, 'resolve', 'delivered', @reason FROM done
), told AS (
    SELECT * FROM tell(ARRAY(SELECT tenant_id FROM done), ARRAY(SELECT event FROM done))
)
SELECT (SELECT jsonb_agg(jsonb_build_array(id, topic, messages)) FROM told) AS entries;

-- name: resolve_failed
-- unknown → failed, with its dead letter and what the dead-letter topic is told of it.
WITH done AS (
    UPDATE notifications n SET status = 'failed', reason = @reason, due_at = NULL, failed_at = now(), updated_at = now()
    WHERE tenant_id = @tenant_id AND id = @id AND status = 'unknown'
    RETURNING n.*, status_event(n) AS event
), past AS (
    SELECT coalesce(jsonb_agg(jsonb_build_object('number', a.number, 'provider', a.provider, 'outcome', a.outcome,
        'error', a.error, 'started_at', a.started_at, 'duration_ms', a.duration_ms) ORDER BY a.number), '[]') AS history
    FROM attempts a JOIN done d ON a.notification_id = d.id AND a.chain = d.chain
    WHERE a.outcome <> 'not_called'
), buried AS (
    INSERT INTO dead_letters (id, notification_id, tenant_id, channel, reason, attempts, chain, key, history)
    SELECT @dead_letter_id, id, tenant_id, channel, reason, attempts, chain,
        convert_to(record_key(tenant_id, recipient_id, recipient), 'UTF8'), history
    FROM done, past
    ON CONFLICT (notification_id, chain) WHERE notification_id IS NOT NULL DO NOTHING
), uncounted AS (
    DELETE FROM cap_uses u USING done d WHERE u.notification_id = d.id
), counted AS (
    INSERT INTO channel_totals AS t (tenant_id, channel, hour, failed)
    SELECT tenant_id, channel, date_trunc('hour', now()), 1 FROM done
    ON CONFLICT (tenant_id, channel, hour) DO UPDATE SET failed = t.failed + 1
), traced AS (
    INSERT INTO trace_steps (notification_id, gate, verdict, reason) SELECT id, 'resolve', 'failed', @reason FROM done
), published AS (
    INSERT INTO outbox (tenant_id, topic, messages, ids)
    SELECT tenant_id, channel || '.dlq',
        jsonb_build_array(jsonb_build_array(record_key(tenant_id, recipient_id, recipient),
            jsonb_build_object('v', 1, 'id', @dead_letter_id::uuid, 'notification_id', id, 'tenant_id', tenant_id,
                'channel', channel, 'reason', reason, 'attempts', attempts, 'chain', chain, 'history', history,
                'created_at', now()),
            jsonb_strip_nulls(jsonb_build_object('traceparent', traceparent, 'correlation_id', correlation_id)))),
        ARRAY[id]
    FROM done, past
    RETURNING id, topic, messages
), told AS (
    SELECT * FROM tell(ARRAY(SELECT tenant_id FROM done), ARRAY(SELECT event FROM done))
)
SELECT (SELECT jsonb_agg(jsonb_build_array(id, topic, messages) ORDER BY id)
    FROM (TABLE published UNION ALL TABLE told) e) AS entries;

-- name: resolve_resend
-- unknown → retrying, due now; what follows in the same transaction is `queue`, as for every message that is due.
WITH due AS (
    UPDATE notifications SET status = 'retrying', reason = @reason, due_at = now(), updated_at = now()
    WHERE tenant_id = @tenant_id AND id = @id AND status = 'unknown'
    RETURNING id, seq
), traced AS (
    INSERT INTO trace_steps (notification_id, gate, verdict, reason) SELECT id, 'resolve', 'resend', @reason FROM due
)
SELECT id, seq FROM due;

-- name: forget_expiry
-- Who sends again what has expired wants it sent all the same.
UPDATE notifications SET expires_at = NULL
WHERE tenant_id = @tenant_id AND id = @id AND expires_at <= now()
    AND status IN ('delivered', 'failed', 'cancelled', 'suppressed', 'expired');

-- name: was_replayed
SELECT notification_id FROM replayed WHERE replay_id = @replay_id AND notification_id = @notification_id;
