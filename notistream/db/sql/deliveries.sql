-- name: claim
-- pending → processing for the turns whose seq is still current. The others return no row.
WITH m AS (
    SELECT * FROM @turns::records AS m(id uuid, seq integer)
), locked AS (
    SELECT n.id FROM notifications n JOIN m ON m.id = n.id
    WHERE n.status = 'pending' AND n.seq = m.seq ORDER BY n.id FOR UPDATE OF n
), lease AS (
    INSERT INTO leases (token, owner, until, ids)
    SELECT @lease_token, @owner, now() + @lease::interval, array_agg(id) FROM locked
    HAVING count(*) > 0
), claimed AS (
    UPDATE notifications n
    SET status = 'processing', attempts = n.attempts + 1, lease_token = @lease_token,
        claimed_at = now(), updated_at = now()
    FROM m, locked l
    WHERE n.id = m.id AND l.id = n.id AND n.status = 'pending' AND n.seq = m.seq
    RETURNING n.*
)
SELECT c.id, c.tenant_id, c.channel, c.priority, c.recipient, c.recipient_id, c.content, c.subject,
    c.template_id, c.template_name, c.template_version, c.template_variables, c.expires_at,
    c.category, c.on_unknown, c.correlation_id, c.traceparent, c.chain, c.attempts, c.lease_token,
    c.claimed_at, c.next_provider, c.test, coalesce(c.locale, r.locale) AS locale, c.erased,
    {{recipient_facts}},
    CASE WHEN c.attempts > 1 AND d.tokens IS NOT NULL THEN {{refused_devices}} END
        AS refused_devices
FROM claimed c
{{join_recipient}};

-- fragment: refused_devices
-- Marks of the devices that refused notification `c` for good in this chain.
ARRAY(
    SELECT s -> 'inputs' ->> 'device' FROM attempts a, jsonb_array_elements(a.steps) s
    WHERE a.notification_id = c.id AND a.chain = c.chain AND s ->> 'gate' = 'device'
        AND s ->> 'verdict' = 'permanent')

-- name: finish
-- processing → its next status, where the lease is still ours; with the attempt, the dead letter,
-- the retry record and the totals in one transaction. A stale worker changes nothing here: see
-- `finish_late`. Of a notification that was erased meanwhile no text is written back.
WITH f AS (
    SELECT * FROM @ends::records AS f(
        id uuid, token uuid, status text, reason text, delay double precision, outcome text,
        error text, provider text, provider_message_id text, duration_ms real, subject text,
        content text, steps text, dead_letter_id uuid, next_provider text, topic text,
        partition integer, "offset" bigint)
), locked AS (
    SELECT n.id FROM notifications n JOIN f ON f.id = n.id
    WHERE n.status = 'processing' AND n.lease_token = f.token ORDER BY n.id FOR UPDATE OF n
), changed AS (
    {{end_claims}}
), attempted AS (
    INSERT INTO attempts (notification_id, chain, number, provider, started_at, duration_ms,
        outcome, error, provider_message_id, steps)
    SELECT id, chain, attempts + (outcome = 'not_called')::integer, attempt_provider, claimed_at,
        duration_ms, outcome, error, attempt_message_id, steps::jsonb
    FROM changed
), failed AS (
    {{failures}}
), buried AS (
    {{bury_failures}}
), uncounted AS (
    {{uncount_changed}} AND c.status IN ('failed', 'suppressed', 'expired')
), counted AS (
    {{count_ended}}
), published AS (
    INSERT INTO outbox (tenant_id, topic, messages, ids)
    SELECT {{retry_entry}}
    FROM changed
    WHERE status IN ('retrying', 'deferred') AND due_at <= now() + interval '60 seconds'
    GROUP BY tenant_id, channel
    UNION ALL
    SELECT {{failure_entry}} FROM failed GROUP BY tenant_id, channel
    RETURNING id, topic, messages
), told AS (
    {{tell_changed}}
)
SELECT ARRAY(SELECT id FROM changed) AS finished,
    (SELECT {{entries}} FROM (TABLE published UNION ALL TABLE told) e) AS entries;

-- fragment: end_claims
-- Writes how claims `f` end, and returns the rows with what the attempt and the dead letter need.
UPDATE notifications n
SET status = f.status,
    reason = CASE WHEN n.erased THEN 'the recipient was erased' ELSE f.reason END,
    error_message = CASE WHEN NOT n.erased THEN f.error END, lease_token = NULL,
    attempts = n.attempts - (f.outcome = 'not_called')::integer,
    due_at = CASE WHEN f.delay IS NOT NULL
        THEN least(now() + f.delay * interval '1 second', n.expires_at) END,
    provider = coalesce(f.provider, n.provider), next_provider = f.next_provider,
    provider_message_id = CASE WHEN NOT n.erased
        THEN coalesce(f.provider_message_id, n.provider_message_id) END,
    subject = CASE WHEN NOT n.erased THEN coalesce(f.subject, n.subject) END,
    content = CASE WHEN NOT n.erased THEN coalesce(f.content, n.content) END,
    sent_at = CASE f.status WHEN 'delivered' THEN now() ELSE n.sent_at END,
    failed_at = CASE f.status WHEN 'failed' THEN now() ELSE n.failed_at END,
    updated_at = now()
FROM f, locked l
WHERE n.id = f.id AND l.id = n.id AND n.status = 'processing' AND n.lease_token = f.token
RETURNING n.id, n.tenant_id, n.channel, n.priority, n.status, n.seq, n.chain, n.attempts,
    n.recipient, n.recipient_id, n.traceparent, n.correlation_id, n.due_at, n.created_at, n.sent_at,
    n.claimed_at, f.outcome, n.error_message AS error, n.reason, f.provider AS attempt_provider,
    f.duration_ms, CASE WHEN n.erased THEN '[]' ELSE f.steps END AS steps,
    CASE WHEN NOT n.erased THEN f.provider_message_id END AS attempt_message_id, f.dead_letter_id,
    f.topic, f.partition, f."offset", status_event(n) AS event

-- fragment: failures
-- Those of `changed` that failed, with the history of their chain, the last call included.
SELECT d.*, coalesce((
        SELECT {{past_calls}} FROM attempts a
        WHERE a.notification_id = d.id AND a.chain = d.chain AND a.outcome <> 'not_called'
    ), '[]') || jsonb_build_array(jsonb_build_object('number', d.attempts,
        'provider', d.attempt_provider, 'outcome', d.outcome, 'error', d.error,
        'started_at', d.claimed_at, 'duration_ms', d.duration_ms)) AS history
FROM changed d WHERE d.status = 'failed'

-- fragment: bury_failures
-- One dead letter for each of `failed` and its chain.
INSERT INTO dead_letters (id, notification_id, tenant_id, channel, reason, attempts, chain, topic,
    partition, "offset", key, history)
SELECT dead_letter_id, id, tenant_id, channel, coalesce(reason, 'failed'), attempts, chain, topic,
    partition, "offset", convert_to(record_key(tenant_id, recipient_id, recipient), 'UTF8'), history
FROM failed
ON CONFLICT (notification_id, chain) WHERE notification_id IS NOT NULL DO NOTHING

-- fragment: count_ended
-- Adds those of `changed` that were delivered or failed to the totals of the hour.
INSERT INTO channel_totals AS t (tenant_id, channel, hour, sent, failed, latency_ms_sum)
SELECT tenant_id, channel, date_trunc('hour', now()), count(*) FILTER (WHERE status = 'delivered'),
    count(*) FILTER (WHERE status = 'failed'),
    coalesce(sum(extract(epoch FROM sent_at - created_at) * 1000)
        FILTER (WHERE status = 'delivered'), 0)
FROM changed WHERE status IN ('delivered', 'failed') GROUP BY 1, 2 ORDER BY 1, 2
{{add_totals}}

-- fragment: retry_entry
-- Columns of an outbox entry for the retry topic, from which a timer wakes notifications when due.
tenant_id, channel || '.retry',
jsonb_agg(wake_up(id, seq, tenant_id, recipient_id, recipient, traceparent, correlation_id, due_at)
    ORDER BY id),
array_agg(id ORDER BY id)

-- fragment: failure_entry
-- Columns of an outbox entry that announces `failed` on the dead-letter topic.
tenant_id, channel || '.dlq',
jsonb_agg(jsonb_build_array(record_key(tenant_id, recipient_id, recipient),
    jsonb_build_object('v', 1, 'id', dead_letter_id, 'notification_id', id, 'tenant_id', tenant_id,
        'channel', channel, 'reason', coalesce(reason, 'failed'), 'attempts', attempts,
        'chain', chain, 'topic', topic, 'partition', partition, 'offset', "offset",
        'history', history, 'created_at', now()),
    {{trace_headers}})),
array_agg(id)

-- name: finish_late
-- The outcome of a stale worker goes to its attempt. A success is still accepted while nobody has
-- claimed the notification again.
WITH noted AS (
    UPDATE attempts SET late_outcome = @outcome, late_at = now(),
        provider = coalesce(@provider, provider),
        provider_message_id = CASE WHEN NOT (SELECT erased FROM notifications WHERE id = @id)
            THEN @provider_message_id END
    WHERE notification_id = @id AND chain = @chain AND number = @attempts AND outcome = 'unknown'
), changed AS (
    UPDATE notifications n
    SET status = 'delivered', reason = 'accepted by the provider, reported late',
        error_message = NULL, due_at = NULL, sent_at = now(), provider = @provider,
        provider_message_id = CASE WHEN NOT erased THEN @provider_message_id END, updated_at = now()
    WHERE id = @id AND chain = @chain AND attempts = @attempts AND @outcome = 'delivered'
        AND status IN ('unknown', 'retrying', 'pending', 'deferred', 'scheduled')
    RETURNING tenant_id, channel, created_at, sent_at, status_event(n) AS event
), counted AS (
    {{count_delivered}}
), told AS (
    {{tell_changed}}
)
SELECT EXISTS (SELECT FROM changed) AS accepted, (SELECT {{entries}} FROM told) AS entries;

-- name: park
-- pending → deferred, before any claim: no attempt is used.
WITH m AS (
    SELECT * FROM @turns::records AS m(
        id uuid, seq integer, delay double precision, gate text, reason text)
), locked AS (
    SELECT n.id FROM notifications n JOIN m ON m.id = n.id
    WHERE n.status = 'pending' AND n.seq = m.seq ORDER BY n.id FOR UPDATE OF n
), parked AS (
    UPDATE notifications n
    SET status = 'deferred', reason = m.reason, updated_at = now(),
        due_at = least(now() + m.delay * interval '1 second', n.expires_at)
    FROM m, locked l
    WHERE n.id = m.id AND l.id = n.id AND n.status = 'pending' AND n.seq = m.seq
    RETURNING n.id, n.tenant_id, n.channel, n.seq, n.recipient, n.recipient_id, n.traceparent,
        n.correlation_id, n.due_at, m.gate, m.reason
), traced AS (
    INSERT INTO trace_steps (notification_id, gate, verdict, reason, next_eligible_at)
    SELECT id, gate, 'deferred', reason, due_at FROM parked
), published AS (
    INSERT INTO outbox (tenant_id, topic, messages, ids)
    SELECT {{retry_entry}}
    FROM parked WHERE due_at <= now() + interval '60 seconds' GROUP BY tenant_id, channel
    RETURNING id, topic, messages
)
SELECT ARRAY(SELECT id FROM parked) AS parked, (SELECT {{entries}} FROM published) AS entries;

-- name: queue
-- delayed → pending for the turns that are due and whose seq is current. Says of the other delayed
-- ones in how many seconds they are due.
WITH m AS (
    SELECT * FROM @turns::records AS m(id uuid, seq integer)
), locked AS (
    SELECT n.id FROM notifications n JOIN m ON m.id = n.id
    WHERE n.{{is_delayed}} AND n.seq = m.seq AND n.due_at <= now()
    ORDER BY n.id FOR UPDATE OF n
), changed AS (
    {{wake}}
    FROM locked l
    WHERE n.id = l.id AND n.{{is_delayed}} AND n.due_at <= now()
    {{woken}}
), {{after_waking}}
SELECT (SELECT {{entries}} FROM (TABLE queued UNION ALL TABLE told) e) AS entries,
    (SELECT jsonb_agg(jsonb_build_array(n.id, n.seq, extract(epoch FROM n.due_at - now())))
        FROM notifications n JOIN m ON m.id = n.id
        WHERE n.{{is_delayed}} AND n.seq = m.seq AND n.due_at > now()) AS early;

-- name: queue_due
-- The scheduler: the same step for whatever is due, oldest first, as many of each lane as it has
-- room for. What a timer holds gets @grace first.
WITH due AS (
    SELECT d.id FROM @lanes::records AS lane(channel text, priority text, room integer)
    CROSS JOIN LATERAL (
        SELECT n.id FROM notifications n
        WHERE n.channel = lane.channel AND n.priority = lane.priority
            AND n.due_at <= now()  -- for the index; the next line decides
            AND n.due_at <= now()
                - CASE WHEN n.status = 'scheduled' THEN interval '0' ELSE @grace::interval END
            AND n.{{is_delayed}}
        ORDER BY n.due_at LIMIT lane.room FOR UPDATE SKIP LOCKED) d
), changed AS (
    {{wake}}
    FROM due WHERE n.id = due.id
    {{woken}}
), {{after_waking}}
SELECT (SELECT count(*) FROM changed) AS count,
    (SELECT {{entries}} FROM (TABLE queued UNION ALL TABLE told) e) AS entries;

-- fragment: wake
-- Makes delayed notifications `n` pending, or expired where it is too late.
UPDATE notifications n
SET status = CASE WHEN n.expires_at <= now() THEN 'expired' ELSE 'pending' END, seq = n.seq + 1,
    reason = CASE WHEN n.expires_at <= now() THEN 'expired at ' || n.expires_at END,
    queued_at = now(), due_at = NULL, updated_at = now()

-- fragment: woken
-- What `wake` returns: the rows, and the events of those that expired.
RETURNING n.*, CASE n.status WHEN 'expired' THEN status_event(n) END AS event

-- fragment: after_waking
-- Queues those of `changed` that are pending, and traces and tells of those that expired.
expired AS (
    INSERT INTO trace_steps (notification_id, gate, verdict, reason)
    SELECT id, 'expiry', 'expired', reason FROM changed WHERE status = 'expired'
), uncounted AS (
    {{uncount_changed}} AND c.status = 'expired'
), queued AS (
    {{queue_changed}}
), told AS (
    SELECT * FROM tell(ARRAY(SELECT tenant_id FROM changed WHERE event IS NOT NULL),
        ARRAY(SELECT event FROM changed WHERE event IS NOT NULL))
)

-- name: lock_ended_leases
-- Leases whose time has passed, or all of a slot: what still processes under them is nobody's.
SELECT token, ids FROM leases
WHERE until <= now() OR owner = @owner
ORDER BY until LIMIT @limit FOR UPDATE SKIP LOCKED;

-- name: orphans
-- Each once: a notification that was soon claimed again is in its former lease too.
SELECT n.id, n.priority, n.attempts, n.chain, n.on_unknown, n.lease_token, n.next_provider
FROM notifications n
WHERE n.id = ANY (@ids::uuid[]) AND n.status = 'processing'
    AND n.lease_token = ANY (@tokens::uuid[]);

-- name: drop_leases
DELETE FROM leases WHERE token = ANY (@tokens::uuid[]);
