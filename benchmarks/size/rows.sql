-- name: tenants
-- $1 tenants, the first of which gets half of all rows.
INSERT INTO tenants (id, name)
SELECT md5('tenant' || t)::uuid, CASE t WHEN 0 THEN 'default' ELSE 'tenant-' || t END
FROM generate_series(0, $1::integer - 1) AS t
ON CONFLICT DO NOTHING;

-- name: notifications
-- Rows $1 to $2 of $3, spread over the last $4, in the order of their ids: every channel and status, $5 recipients,
-- half of them in batches of a thousand; two of a thousand still wait.
INSERT INTO notifications (id, tenant_id, batch_id, channel, priority, status, attempts, recipient, recipient_id,
    content, subject, template_name, template_variables, category, reason, provider, provider_message_id, due_at,
    queued_at, claimed_at, sent_at, failed_at, created_at, updated_at)
SELECT (substr(first_id(r.at)::text, 1, 14) || '7' || substr(r.hash, 1, 3) || '-8' || substr(r.hash, 4, 3) || '-'
        || substr(r.hash, 7, 12))::uuid,
    r.tenant, CASE WHEN r.n % 2000 < 1000 THEN md5('batch' || r.n / 2000 || r.tenant)::uuid END,
    r.channel, (ARRAY['high', 'normal', 'normal', 'low'])[1 + r.n % 4], r.status,
    CASE WHEN r.status IN ('delivered', 'failed', 'unknown') THEN 1 ELSE 0 END,
    CASE r.channel WHEN 'email' THEN 'user' || r.who || '@example.com' WHEN 'sms' THEN '+9050' || lpad(r.who::text, 8, '0')
        WHEN 'push' THEN 'token-' || md5(r.who::text) END,
    'user-' || r.who, 'Hello user ' || r.who || ', your order ' || r.n || ' has been shipped and will arrive soon.',
    CASE r.channel WHEN 'email' THEN 'Your order ' || r.n END,
    CASE WHEN r.n % 3 = 0 THEN 'template-' || r.n % 1000 / 100 END,
    jsonb_build_object('name', 'user ' || r.who, 'order', r.n), (ARRAY['orders', 'marketing', NULL])[1 + r.n % 3],
    CASE WHEN r.status <> 'delivered' THEN 'as generated' END,
    CASE WHEN r.status IN ('delivered', 'failed') THEN 'webhook' END,
    CASE WHEN r.status = 'delivered' THEN 'message-' || r.n END,
    CASE WHEN r.status IN ('scheduled', 'retrying', 'deferred') THEN now() + interval '1 day' END,
    r.at, CASE WHEN r.status IN ('delivered', 'failed', 'unknown') THEN r.at END,
    CASE r.status WHEN 'delivered' THEN r.at + interval '20 milliseconds' END,
    CASE r.status WHEN 'failed' THEN r.at + interval '20 milliseconds' END, r.at, r.at
FROM (SELECT n, md5(n::text) AS hash, now() - $4::interval * (1 - n::double precision / $3),
        md5('tenant' || CASE n % 2 WHEN 0 THEN 0 ELSE n / 2 % 20 END)::uuid,
        (ARRAY['sms', 'email', 'email', 'sms', 'push', 'email', 'sms', 'sms', 'email', 'in_app'])[1 + n / 3 % 10],
        hashint8(n) % $5::bigint + $5,
        CASE WHEN n % 1000 < 940 THEN 'delivered' WHEN n % 1000 < 965 THEN 'failed' WHEN n % 1000 < 975 THEN 'cancelled'
            WHEN n % 1000 < 985 THEN 'suppressed' WHEN n % 1000 < 997 THEN 'expired' WHEN n % 1000 < 998 THEN 'unknown'
            ELSE (ARRAY['scheduled', 'deferred', 'retrying', 'pending'])[1 + n / 1000 % 4] END
    FROM generate_series($1::bigint, $2::bigint) AS n) AS r(n, hash, at, tenant, channel, who, status);

-- name: batches
INSERT INTO batches (id, tenant_id, total_count, rejected_count, created_at)
SELECT batch_id, min(tenant_id::text)::uuid, count(*), 0, min(created_at) FROM notifications
WHERE batch_id IS NOT NULL GROUP BY batch_id;

-- name: attempts
INSERT INTO attempts (notification_id, chain, number, provider, started_at, ended_at, duration_ms, outcome,
    provider_message_id, steps)
SELECT id, 1, 1, 'webhook', created_at, created_at + interval '20 milliseconds', 12.5,
    CASE status WHEN 'failed' THEN 'permanent' ELSE status END, provider_message_id,
    '[{"gate": "gates", "verdict": "passed", "reason": "preferences, suppressions, quiet hours, caps"}]'
FROM notifications WHERE status IN ('delivered', 'failed', 'unknown') ORDER BY id;

-- name: trace_steps
INSERT INTO trace_steps (notification_id, at, gate, verdict, reason)
SELECT id, created_at, 'recipient', 'deferred', 'the recipient has had 60 messages in this minute'
FROM notifications WHERE id::text LIKE '%0' OR status = 'cancelled' ORDER BY id;

-- name: dead_letters
INSERT INTO dead_letters (id, notification_id, tenant_id, channel, reason, attempts, chain, created_at, replayed_at)
SELECT id, id, tenant_id, channel, 'the provider refused it', 1, 1, created_at,
    CASE WHEN created_at < now() - interval '7 days' THEN created_at END
FROM notifications WHERE status = 'failed' ORDER BY id;

-- name: inboxes
INSERT INTO inboxes (tenant_id, recipient_id, last_seq, unread)
SELECT tenant_id, recipient_id, count(*), count(*) FROM notifications WHERE channel = 'in_app' GROUP BY 1, 2
ON CONFLICT DO NOTHING;

-- name: inbox_messages
INSERT INTO inbox_messages (id, tenant_id, recipient_id, seq, notification_id, title, body, created_at)
SELECT id, tenant_id, recipient_id, row_number() OVER (PARTITION BY tenant_id, recipient_id ORDER BY id), id, 'Order',
    content, created_at
FROM notifications WHERE channel = 'in_app';

-- name: channel_totals
INSERT INTO channel_totals (tenant_id, channel, hour, sent, failed, latency_ms_sum)
SELECT tenant_id, channel, date_trunc('hour', created_at), count(*) FILTER (WHERE status = 'delivered'),
    count(*) FILTER (WHERE status = 'failed'), 20.0 * count(*) FILTER (WHERE status = 'delivered')
FROM notifications WHERE status IN ('delivered', 'failed') GROUP BY 1, 2, 3;

-- name: recipients
INSERT INTO recipients (tenant_id, id, email, phone)
SELECT DISTINCT tenant_id, recipient_id, recipient_id || '@example.com', '+905000000001' FROM notifications
ON CONFLICT DO NOTHING;

-- name: preferences
INSERT INTO preferences (tenant_id, recipient_id, channels)
SELECT tenant_id, id, '{"email": {"enabled": true}}' FROM recipients WHERE hashtext(id) % 10 = 0;

-- name: cap_uses
INSERT INTO cap_uses (tenant_id, recipient_id, channel, notification_id, at)
SELECT tenant_id, recipient_id, channel, id, created_at FROM notifications WHERE category = 'marketing';

-- name: idempotency_keys
INSERT INTO idempotency_keys (tenant_id, key, notification_id, expires_at)
SELECT tenant_id, 'order-' || id, id, created_at + interval '7 days' FROM notifications
WHERE created_at > now() - interval '7 days';

-- name: replayed
INSERT INTO replayed (replay_id, notification_id, at)
SELECT md5(date_trunc('day', created_at)::text)::uuid, id, created_at FROM notifications WHERE status = 'expired';

-- name: audit_log
INSERT INTO audit_log (at, actor, action, target)
SELECT created_at, 'cli', 'dlq.replay', notification_id FROM dead_letters;

-- name: webhook_endpoints
INSERT INTO webhook_endpoints (id, tenant_id, url, secret)
SELECT md5('endpoint' || id)::uuid, id, 'https://example.com/hook', 'whsec_' FROM tenants ON CONFLICT DO NOTHING;

-- name: webhook_deliveries
-- Of the last 90 days.
INSERT INTO webhook_deliveries (id, tenant_id, endpoint_id, event_id, type, at, data, status, attempts, due_at, ended_at)
SELECT n.id, n.tenant_id, p.id, n.id, 'notification.' || n.status, n.created_at,
    jsonb_build_object('notification_id', n.id, 'recipient_id', n.recipient_id),
    CASE n.status WHEN 'expired' THEN 'failed' WHEN 'suppressed' THEN 'pending' ELSE 'delivered' END, 1,
    CASE n.status WHEN 'suppressed' THEN now() + interval '1 hour' END, n.created_at
FROM notifications n JOIN webhook_endpoints p ON p.tenant_id = n.tenant_id
WHERE n.created_at > now() - interval '90 days' AND n.status IN ('delivered', 'failed', 'expired', 'suppressed');
