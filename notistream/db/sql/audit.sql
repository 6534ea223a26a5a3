-- name: page
-- One page of accepted notifications in the order of their ids: how many by tenant and hour, and
-- those that nothing seems to wake. @horizons says for each lane from which moment on a queued one
-- still has its record on Kafka. Only ids in entries that overlap the page are looked up;
-- `still_missing` looks again, exactly, at the few that are left.
WITH scanned AS MATERIALIZED (
    SELECT id, tenant_id, channel, priority, status, seq, recipient, recipient_id, lease_token,
        due_at, queued_at, created_at, updated_at, date_trunc('hour', created_at, 'UTC') AS hour
    FROM notifications
    WHERE id > @after AND id <= @last_id AND (@tenant_id::uuid IS NULL OR tenant_id = @tenant_id)
    ORDER BY id LIMIT @limit
), counted AS (
    SELECT tenant_id, hour, count(*) AS accepted,
        count(*) FILTER (WHERE {{has_ended}}) AS terminal,
        count(*) FILTER (WHERE {{is_delayed}}
            AND due_at < now() - interval '2 minutes') AS overdue
    FROM scanned WHERE created_at >= @since GROUP BY tenant_id, hour
), entries AS MATERIALIZED (
    SELECT DISTINCT unnest(o.ids) AS id FROM outbox o
    WHERE EXISTS (SELECT FROM scanned WHERE status = 'pending')
        AND o.ids[1] <= (SELECT id FROM scanned ORDER BY id DESC LIMIT 1)
        AND o.ids[array_upper(o.ids, 1)] >= (SELECT id FROM scanned ORDER BY id LIMIT 1)
), suspects AS (
    SELECT s.* FROM scanned s
    LEFT JOIN entries e ON e.id = s.id
    LEFT JOIN @horizons::records AS h(topic text, at timestamptz)
        ON h.topic = s.channel || '.' || s.priority
    WHERE s.created_at >= @since AND ({{seems_lost}})
)
SELECT (SELECT count(*) FROM scanned) AS scanned,
    (SELECT id FROM scanned ORDER BY id DESC LIMIT 1) AS last_id,
    (SELECT jsonb_agg(
        jsonb_build_array(tenant_id, extract(epoch FROM hour), accepted, terminal, overdue)
        ORDER BY hour, tenant_id) FROM counted) AS hours,
    (SELECT jsonb_agg(jsonb_build_array(id, tenant_id, channel || '.' || priority, status, seq,
        record_key(tenant_id, recipient_id, recipient), extract(epoch FROM hour),
        extract(epoch FROM coalesce(queued_at,
            created_at))) ORDER BY id) FROM suspects) AS suspects;

-- fragment: seems_lost
-- Nothing seems to wake `s`: a queued one is in no entry `e`, a claimed one has no lease, a delayed
-- one has no time.
s.status = 'pending' AND s.queued_at < least(now() - interval '1 minute', h.at) AND e.id IS NULL
        OR s.status = 'processing' AND s.updated_at < now() - interval '1 minute' AND NOT EXISTS (
            SELECT FROM leases l
            WHERE l.token = s.lease_token AND l.until > now() - 2 * @lease::interval)
        OR s.{{is_delayed}} AND s.due_at IS NULL AND s.updated_at < now() - interval '1 minute'

-- name: still_missing
-- Those of the suspects that are as they were, and in no outbox entry.
WITH m AS MATERIALIZED (
    SELECT n.id, n.status FROM @suspects::records AS w(id uuid, seq integer, status text)
    JOIN notifications n ON n.id = w.id AND n.seq = w.seq AND n.status = w.status
)
SELECT m.id FROM m LEFT JOIN (SELECT DISTINCT unnest(ids) AS id FROM outbox) e ON e.id = m.id
WHERE m.status <> 'pending' OR e.id IS NULL;

-- name: repair
-- Pending ones are queued again, those without a time become due; each at most once in a minute,
-- then two, four, …
WITH w AS (
    SELECT * FROM @suspects::records AS w(id uuid, seq integer, status text)
), locked AS (
    SELECT n.id FROM notifications n JOIN w ON w.id = n.id
    WHERE n.seq = w.seq AND n.status = w.status
        AND (n.status = 'pending' OR n.{{is_delayed}} AND n.due_at IS NULL)
    ORDER BY n.id FOR UPDATE OF n
), allowed AS (
    INSERT INTO repairs AS r (notification_id, next_at)
    SELECT id, now() + interval '1 minute' FROM locked
    ON CONFLICT (notification_id) DO UPDATE
        SET times = r.times + 1,
            next_at = now() + interval '1 minute' * power(2, least(r.times, 10))
        WHERE r.next_at <= now()
    RETURNING notification_id
), woken AS (
    UPDATE notifications n
    SET status = 'pending', seq = n.seq + 1, queued_at = now(), updated_at = now()
    FROM allowed a WHERE n.id = a.notification_id AND n.status = 'pending'
    RETURNING n.*
), timed AS (
    UPDATE notifications n SET due_at = greatest(n.scheduled_at, now()), updated_at = now()
    FROM allowed a WHERE n.id = a.notification_id AND n.{{is_delayed}}
    RETURNING n.id, n.due_at
), traced AS (
    INSERT INTO trace_steps (notification_id, gate, verdict, reason, next_eligible_at)
    SELECT id, 'audit', 'queued', 'it was in no outbox entry and its record was not on Kafka', NULL
    FROM woken
    UNION ALL
    SELECT id, 'audit', 'due', 'it waited without a time', due_at FROM timed
), queued AS (
    INSERT INTO outbox (tenant_id, topic, messages, ids, publish_after)
    SELECT {{queue_entry}}, now()
    FROM woken GROUP BY tenant_id, channel, priority
)
SELECT notification_id AS id FROM allowed;

-- name: restore_leases
-- A claim whose lease is gone gets one that has just ended: the sweeper settles it like any other
-- ended lease.
WITH locked AS (
    SELECT n.id, n.lease_token FROM notifications n
    JOIN @suspects::records AS w(id uuid, seq integer) ON w.id = n.id
    WHERE n.status = 'processing' AND n.seq = w.seq AND n.lease_token IS NOT NULL
    ORDER BY n.id FOR UPDATE OF n
), restored AS (
    INSERT INTO leases (token, owner, until, ids)
    SELECT lease_token, -1, now(), array_agg(id) FROM locked GROUP BY lease_token
    ON CONFLICT (token) DO NOTHING
    RETURNING token
), found AS (
    SELECT l.id FROM locked l JOIN restored r ON r.token = l.lease_token
), traced AS (
    INSERT INTO trace_steps (notification_id, gate, verdict, reason)
    SELECT id, 'audit', 'unknown', 'it was claimed, but its lease was gone' FROM found
)
SELECT id FROM found;

-- name: forget_repairs
DELETE FROM repairs WHERE next_at < now() - interval '7 days';

-- name: try_lock
SELECT pg_try_advisory_xact_lock(@lock) AS locked;

-- name: last_run
-- The newest finished audit of the last two days, as the audit log has it.
SELECT at, details, now() - at AS age FROM audit_log
WHERE action = @action AND at > now() - interval '2 days' ORDER BY at DESC LIMIT 1;
