-- name: claim
-- pending → processing for the messages whose seq is still current; the rest return no row.
WITH m AS (
    SELECT * FROM @turns::records AS m(id uuid, seq integer)
), locked AS (
    SELECT n.id FROM notifications n JOIN m ON m.id = n.id
    WHERE n.status = 'pending' AND n.seq = m.seq ORDER BY n.id FOR UPDATE OF n
), lease AS (
    INSERT INTO leases (token, owner, until, ids)
    SELECT @lease_token, @owner, now() + @lease::interval, array_agg(id) FROM locked HAVING count(*) > 0
), claimed AS (
    UPDATE notifications n
    SET status = 'processing', attempts = n.attempts + 1, lease_token = @lease_token, claimed_at = now(), updated_at = now()
    FROM m, locked l
    WHERE n.id = m.id AND l.id = n.id AND n.status = 'pending' AND n.seq = m.seq
    RETURNING n.*
)
SELECT c.id, c.tenant_id, c.channel, c.priority, c.recipient, c.recipient_id, c.content, c.subject, c.template_id,
    c.template_name, c.template_version, c.template_variables, c.expires_at, c.category, c.on_unknown,
    c.correlation_id, c.traceparent, c.chain, c.attempts, c.lease_token, c.claimed_at, c.next_provider, c.test,
    coalesce(c.locale, r.locale) AS locale, r.email, r.phone, r.timezone, p.channels AS wishes,
    p.categories AS category_wishes, c.erased, d.tokens AS push_tokens,
    coalesce(
        (SELECT min(s.why) FROM suppressions_of(c.tenant_id, c.channel, c.category,
            address_of(c.channel, c.recipient, c.recipient_id, r.email, r.phone)) s),
        CASE WHEN d.tokens IS NULL THEN d.suppressed END) AS suppressed,
    CASE WHEN c.attempts > 1 AND d.tokens IS NOT NULL THEN ARRAY(
        SELECT s -> 'inputs' ->> 'device' FROM attempts a, jsonb_array_elements(a.steps) s
        WHERE a.notification_id = c.id AND a.chain = c.chain AND s ->> 'gate' = 'device'
            AND s ->> 'verdict' = 'permanent') END AS refused_devices
FROM claimed c
LEFT JOIN recipients r ON r.tenant_id = c.tenant_id AND r.id = c.recipient_id
LEFT JOIN preferences p ON p.tenant_id = c.tenant_id AND p.recipient_id = c.recipient_id
CROSS JOIN LATERAL devices_of(
    c.channel = 'push' AND c.recipient IS NULL, c.tenant_id, c.recipient_id, c.category) d;

-- name: finish
-- processing → its next status where the lease is still ours, with the attempt, the dead letter, the retry
-- record and the totals in the same transaction. A stale worker changes nothing here; see finish_late. Of what was
-- erased meanwhile no word is written back.
WITH f AS (
    SELECT * FROM @ends::records AS f(
        id uuid,
        token uuid,
        status text,
        reason text,
        delay double precision,
        outcome text,
        error text,
        provider text,
        provider_message_id text,
        duration_ms real,
        subject text,
        content text,
        steps text,
        dead_letter_id uuid,
        next_provider text,
        topic text,
        partition integer,
        "offset" bigint
    )
), locked AS (
    SELECT n.id FROM notifications n JOIN f ON f.id = n.id
    WHERE n.status = 'processing' AND n.lease_token = f.token ORDER BY n.id FOR UPDATE OF n
), done AS (
    UPDATE notifications n
    SET status = f.status, reason = CASE WHEN n.erased THEN 'the recipient was erased' ELSE f.reason END,
        error_message = CASE WHEN NOT n.erased THEN f.error END, lease_token = NULL,
        attempts = n.attempts - (f.outcome = 'not_called')::integer,
        due_at = CASE WHEN f.delay IS NOT NULL THEN least(now() + f.delay * interval '1 second', n.expires_at) END,
        provider = coalesce(f.provider, n.provider), next_provider = f.next_provider,
        provider_message_id = CASE WHEN NOT n.erased THEN coalesce(f.provider_message_id, n.provider_message_id) END,
        subject = CASE WHEN NOT n.erased THEN coalesce(f.subject, n.subject) END,
        content = CASE WHEN NOT n.erased THEN coalesce(f.content, n.content) END,
        sent_at = CASE f.status WHEN 'delivered' THEN now() ELSE n.sent_at END,
        failed_at = CASE f.status WHEN 'failed' THEN now() ELSE n.failed_at END,
        updated_at = now()
    FROM f, locked l
    WHERE n.id = f.id AND l.id = n.id AND n.status = 'processing' AND n.lease_token = f.token
    RETURNING n.id, n.tenant_id, n.channel, n.priority, n.status, n.seq, n.chain, n.attempts, n.recipient,
        n.recipient_id, n.traceparent, n.correlation_id, n.due_at, n.created_at, n.sent_at, n.claimed_at,
        f.outcome, n.error_message AS error, n.reason, f.provider AS attempt_provider, f.duration_ms,
        CASE WHEN n.erased THEN '[]' ELSE f.steps END AS steps,
        CASE WHEN NOT n.erased THEN f.provider_message_id END AS attempt_message_id, f.dead_letter_id, f.topic,
        f.partition, f."offset", status_event(n) AS event
), attempted AS (
    INSERT INTO attempts (notification_id, chain, number, provider, started_at, duration_ms, outcome, error,
        provider_message_id, steps)
    SELECT id, chain, attempts + (outcome = 'not_called')::integer, attempt_provider, claimed_at, duration_ms,
        outcome, error, attempt_message_id, steps::jsonb
    FROM done
), failed AS (
    SELECT d.*, coalesce((
            SELECT jsonb_agg(jsonb_build_object('number', a.number, 'provider', a.provider, 'outcome', a.outcome,
                'error', a.error, 'started_at', a.started_at, 'duration_ms', a.duration_ms) ORDER BY a.number)
            FROM attempts a WHERE a.notification_id = d.id AND a.chain = d.chain AND a.outcome <> 'not_called'
        ), '[]') || jsonb_build_array(jsonb_build_object('number', d.attempts, 'provider', d.attempt_provider,
            'outcome', d.outcome, 'error', d.error, 'started_at', d.claimed_at, 'duration_ms', d.duration_ms)) AS history
    FROM done d WHERE d.status = 'failed'
), buried AS (
    INSERT INTO dead_letters (id, notification_id, tenant_id, channel, reason, attempts, chain, topic, partition,
        "offset", key, history)
    SELECT dead_letter_id, id, tenant_id, channel, coalesce(reason, 'failed'), attempts, chain, topic, partition,
        "offset", convert_to(record_key(tenant_id, recipient_id, recipient), 'UTF8'), history
    FROM failed
    ON CONFLICT (notification_id, chain) WHERE notification_id IS NOT NULL DO NOTHING
), uncounted AS (
    DELETE FROM cap_uses u USING done d
    WHERE u.notification_id = d.id AND d.status IN ('failed', 'suppressed', 'expired')
), counted AS (
    INSERT INTO channel_totals AS t (tenant_id, channel, hour, sent, failed, latency_ms_sum)
    SELECT tenant_id, channel, date_trunc('hour', now()), count(*) FILTER (WHERE status = 'delivered'),
        count(*) FILTER (WHERE status = 'failed'),
        coalesce(sum(extract(epoch FROM sent_at - created_at) * 1000) FILTER (WHERE status = 'delivered'), 0)
    FROM done WHERE status IN ('delivered', 'failed') GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (tenant_id, channel, hour) DO UPDATE
        SET sent = t.sent + excluded.sent, failed = t.failed + excluded.failed,
            latency_ms_sum = t.latency_ms_sum + excluded.latency_ms_sum
), published AS (
    INSERT INTO outbox (tenant_id, topic, messages, ids)
    SELECT tenant_id, channel || '.retry',
        jsonb_agg(wake_up(id, seq, tenant_id, recipient_id, recipient, traceparent, correlation_id, due_at) ORDER BY id),
        array_agg(id ORDER BY id)
    FROM done WHERE status IN ('retrying', 'deferred') AND due_at <= now() + interval '60 seconds'
    GROUP BY tenant_id, channel
    UNION ALL
    SELECT tenant_id, channel || '.dlq',
        jsonb_agg(jsonb_build_array(record_key(tenant_id, recipient_id, recipient),
            jsonb_build_object('v', 1, 'id', dead_letter_id, 'notification_id', id, 'tenant_id', tenant_id,
                'channel', channel, 'reason', coalesce(reason, 'failed'), 'attempts', attempts, 'chain', chain,
                'topic', topic, 'partition', partition, 'offset', "offset", 'history', history, 'created_at', now()),
            jsonb_strip_nulls(jsonb_build_object('traceparent', traceparent, 'correlation_id', correlation_id)))),
        array_agg(id)
    FROM failed GROUP BY tenant_id, channel
    RETURNING id, topic, messages
), told AS (
    SELECT * FROM tell(ARRAY(SELECT tenant_id FROM done), ARRAY(SELECT event FROM done))
)
SELECT ARRAY(SELECT id FROM done) AS finished,
    (SELECT jsonb_agg(jsonb_build_array(id, topic, messages) ORDER BY id)
        FROM (TABLE published UNION ALL TABLE told) e) AS entries;

-- name: finish_late
-- A stale worker's outcome goes to its attempt; a success is still accepted while nobody has claimed it again.
WITH noted AS (
    UPDATE attempts SET late_outcome = @outcome, late_at = now(), provider = coalesce(@provider, provider),
        provider_message_id = CASE WHEN NOT (SELECT erased FROM notifications WHERE id = @id) THEN @provider_message_id END
    WHERE notification_id = @id AND chain = @chain AND number = @attempts AND outcome = 'unknown'
), accepted AS (
    UPDATE notifications n
    SET status = 'delivered', reason = 'accepted by the provider, reported late', error_message = NULL, due_at = NULL,
        sent_at = now(), provider = @provider, provider_message_id = CASE WHEN NOT erased THEN @provider_message_id END, updated_at = now()
    WHERE id = @id AND chain = @chain AND attempts = @attempts AND @outcome = 'delivered'
        AND status IN ('unknown', 'retrying', 'pending', 'deferred', 'scheduled')
    RETURNING tenant_id, channel, created_at, sent_at, status_event(n) AS event
), counted AS (
    INSERT INTO channel_totals AS t (tenant_id, channel, hour, sent, latency_ms_sum)
    SELECT tenant_id, channel, date_trunc('hour', now()), 1, extract(epoch FROM sent_at - created_at) * 1000
    FROM accepted
    ON CONFLICT (tenant_id, channel, hour) DO UPDATE
        SET sent = t.sent + 1, latency_ms_sum = t.latency_ms_sum + excluded.latency_ms_sum
), told AS (
    SELECT * FROM tell(ARRAY(SELECT tenant_id FROM accepted), ARRAY(SELECT event FROM accepted))
)
SELECT EXISTS (SELECT FROM accepted) AS accepted,
    (SELECT jsonb_agg(jsonb_build_array(id, topic, messages)) FROM told) AS entries;

-- name: park
-- pending → deferred, before any claim: uses no attempt.
WITH m AS (
    SELECT * FROM @turns::records AS m(id uuid, seq integer, delay double precision, gate text, reason text)
), locked AS (
    SELECT n.id FROM notifications n JOIN m ON m.id = n.id
    WHERE n.status = 'pending' AND n.seq = m.seq ORDER BY n.id FOR UPDATE OF n
), parked AS (
    UPDATE notifications n
    SET status = 'deferred', reason = m.reason, updated_at = now(),
        due_at = least(now() + m.delay * interval '1 second', n.expires_at)
    FROM m, locked l
    WHERE n.id = m.id AND l.id = n.id AND n.status = 'pending' AND n.seq = m.seq
    RETURNING n.id, n.tenant_id, n.channel, n.seq, n.recipient, n.recipient_id, n.traceparent, n.correlation_id,
        n.due_at, m.gate, m.reason
), traced AS (
    INSERT INTO trace_steps (notification_id, gate, verdict, reason, next_eligible_at)
    SELECT id, gate, 'deferred', reason, due_at FROM parked
), published AS (
    INSERT INTO outbox (tenant_id, topic, messages, ids)
    SELECT tenant_id, channel || '.retry',
        jsonb_agg(wake_up(id, seq, tenant_id, recipient_id, recipient, traceparent, correlation_id, due_at) ORDER BY id),
        array_agg(id ORDER BY id)
    FROM parked WHERE due_at <= now() + interval '60 seconds' GROUP BY tenant_id, channel
    RETURNING id, topic, messages
)
SELECT ARRAY(SELECT id FROM parked) AS parked,
    (SELECT jsonb_agg(jsonb_build_array(id, topic, messages) ORDER BY id) FROM published) AS entries;

-- name: queue
-- waiting → pending for those that are due and whose seq is as read; says how early the others came.
WITH m AS (
    SELECT * FROM @turns::records AS m(id uuid, seq integer)
), locked AS (
    SELECT n.id FROM notifications n JOIN m ON m.id = n.id
    WHERE n.status IN ('scheduled', 'retrying', 'deferred') AND n.seq = m.seq AND n.due_at <= now()
    ORDER BY n.id FOR UPDATE OF n
), woken AS (
    UPDATE notifications n
    SET status = CASE WHEN n.expires_at <= now() THEN 'expired' ELSE 'pending' END, seq = n.seq + 1,
        reason = CASE WHEN n.expires_at <= now() THEN 'expired at ' || n.expires_at END,
        queued_at = now(), due_at = NULL, updated_at = now()
    FROM locked l
    WHERE n.id = l.id AND n.status IN ('scheduled', 'retrying', 'deferred') AND n.due_at <= now()
    RETURNING n.*, CASE n.status WHEN 'expired' THEN status_event(n) END AS event
), expired AS (
    INSERT INTO trace_steps (notification_id, gate, verdict, reason)
    SELECT id, 'expiry', 'expired', reason FROM woken WHERE status = 'expired'
), uncounted AS (
    DELETE FROM cap_uses u USING woken w WHERE u.notification_id = w.id AND w.status = 'expired'
), queued AS (
    INSERT INTO outbox (tenant_id, topic, messages, ids)
    SELECT tenant_id, channel || '.' || priority,
        jsonb_agg(wake_up(id, seq, tenant_id, recipient_id, recipient, traceparent, correlation_id) ORDER BY id),
        array_agg(id ORDER BY id)
    FROM (SELECT w.*, outbox_chunk(row_number() OVER (PARTITION BY tenant_id, channel, priority ORDER BY id)) AS chunk
        FROM woken w WHERE status = 'pending') w
    GROUP BY tenant_id, channel, priority, chunk
    RETURNING id, topic, messages
), told AS (
    SELECT * FROM tell(ARRAY(SELECT tenant_id FROM woken WHERE event IS NOT NULL), ARRAY(SELECT event FROM woken WHERE event IS NOT NULL))
)
SELECT (SELECT jsonb_agg(jsonb_build_array(id, topic, messages) ORDER BY id)
        FROM (TABLE queued UNION ALL TABLE told) e) AS entries,
    (SELECT jsonb_agg(jsonb_build_array(n.id, n.seq, extract(epoch FROM n.due_at - now())))
        FROM notifications n JOIN m ON m.id = n.id
        WHERE n.status IN ('scheduled', 'retrying', 'deferred') AND n.seq = m.seq AND n.due_at > now()) AS early;

-- name: queue_due
-- The scheduler: the same step for whatever is due, oldest first, in lanes @lanes, @lanes as far as they have room (@lanes).
-- Waits that a timer holds get @grace of grace.
WITH due AS (
    SELECT d.id FROM @lanes::records AS lane(channel text, priority text, room integer)
    CROSS JOIN LATERAL (
        SELECT n.id FROM notifications n
        WHERE n.channel = lane.channel AND n.priority = lane.priority
            AND n.due_at <= now()  -- for the index; the next line decides
            AND n.due_at <= now() - CASE WHEN n.status = 'scheduled' THEN interval '0' ELSE @grace::interval END
            AND n.status IN ('scheduled', 'retrying', 'deferred')
        ORDER BY n.due_at LIMIT lane.room FOR UPDATE SKIP LOCKED) d
), woken AS (
    UPDATE notifications n
    SET status = CASE WHEN n.expires_at <= now() THEN 'expired' ELSE 'pending' END, seq = n.seq + 1,
        reason = CASE WHEN n.expires_at <= now() THEN 'expired at ' || n.expires_at END,
        queued_at = now(), due_at = NULL, updated_at = now()
    FROM due WHERE n.id = due.id
    RETURNING n.*, CASE n.status WHEN 'expired' THEN status_event(n) END AS event
), expired AS (
    INSERT INTO trace_steps (notification_id, gate, verdict, reason)
    SELECT id, 'expiry', 'expired', reason FROM woken WHERE status = 'expired'
), uncounted AS (
    DELETE FROM cap_uses u USING woken w WHERE u.notification_id = w.id AND w.status = 'expired'
), queued AS (
    INSERT INTO outbox (tenant_id, topic, messages, ids)
    SELECT tenant_id, channel || '.' || priority,
        jsonb_agg(wake_up(id, seq, tenant_id, recipient_id, recipient, traceparent, correlation_id) ORDER BY id),
        array_agg(id ORDER BY id)
    FROM (SELECT w.*, outbox_chunk(row_number() OVER (PARTITION BY tenant_id, channel, priority ORDER BY id)) AS chunk
        FROM woken w WHERE status = 'pending') w
    GROUP BY tenant_id, channel, priority, chunk
    RETURNING id, topic, messages
), told AS (
    SELECT * FROM tell(ARRAY(SELECT tenant_id FROM woken WHERE event IS NOT NULL), ARRAY(SELECT event FROM woken WHERE event IS NOT NULL))
)
SELECT (SELECT count(*) FROM woken) AS count,
    (SELECT jsonb_agg(jsonb_build_array(id, topic, messages) ORDER BY id)
        FROM (TABLE queued UNION ALL TABLE told) e) AS entries;

-- name: lock_ended_leases
-- Leases whose time has passed, or all of slot @owner: what is still processing under them is nobody's.
SELECT token, ids FROM leases
WHERE until <= now() OR owner = @owner
ORDER BY until LIMIT @limit FOR UPDATE SKIP LOCKED;

-- name: orphans
-- Each once: a notification that was claimed again soon is in its former lease too.
SELECT n.id, n.priority, n.attempts, n.chain, n.on_unknown, n.lease_token, n.next_provider
FROM notifications n
WHERE n.id = ANY (@ids::uuid[]) AND n.status = 'processing' AND n.lease_token = ANY (@tokens::uuid[]);

-- name: drop_leases
DELETE FROM leases WHERE token = ANY (@tokens::uuid[]);
