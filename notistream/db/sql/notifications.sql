-- name: create
-- Stores what is new, claims body idempotency keys, and leaves one outbox row per tenant and topic, at once.
WITH input AS (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[],
        $8::text[], $9::text[], $10::uuid[], $11::text[], $12::integer[], $13::jsonb[], $14::text[], $15::text[],
        $16::jsonb[], $17::text[], $18::text[], $19::text[], $20::text[], $21::timestamptz[], $22::timestamptz[],
        $23::text[], $24::boolean[])
    AS i(id, tenant_id, batch_id, channel, priority, recipient, recipient_id, subject, content, template_id,
        template_name, template_version, template_variables, category, type, metadata, on_unknown,
        idempotency_key, correlation_id, traceparent, scheduled_at, expires_at, locale, test)
), claimed AS (
    INSERT INTO idempotency_keys (tenant_id, key, notification_id, expires_at)
    SELECT DISTINCT ON (tenant_id, idempotency_key) tenant_id, idempotency_key, id, now() + $25::interval
    FROM input WHERE idempotency_key IS NOT NULL ORDER BY tenant_id, idempotency_key, id
    ON CONFLICT (tenant_id, key) DO UPDATE
        SET notification_id = excluded.notification_id, expires_at = excluded.expires_at
        WHERE idempotency_keys.expires_at <= now()
    RETURNING notification_id
), inserted AS (
    INSERT INTO notifications (id, tenant_id, batch_id, channel, priority, recipient, recipient_id, subject, content,
        template_id, template_name, template_version, template_variables, category, type, metadata, on_unknown,
        idempotency_key, correlation_id, traceparent, scheduled_at, expires_at, locale, test, status, due_at,
        queued_at)
    SELECT id, tenant_id, batch_id, channel, priority, recipient, recipient_id, subject, content,
        template_id, template_name, template_version, template_variables, category, type, metadata, on_unknown,
        idempotency_key, correlation_id, traceparent, scheduled_at, expires_at, locale, test,
        CASE WHEN scheduled_at > now() THEN 'scheduled' ELSE 'pending' END,
        CASE WHEN scheduled_at > now() THEN scheduled_at END,
        CASE WHEN scheduled_at > now() THEN NULL ELSE now() END
    FROM input WHERE idempotency_key IS NULL OR id IN (SELECT notification_id FROM claimed)
    RETURNING id, tenant_id, channel, priority, status, seq, recipient, recipient_id, traceparent, correlation_id
), queued AS (
    INSERT INTO outbox (tenant_id, topic, messages, ids)
    SELECT tenant_id, channel || '.' || priority,
        jsonb_agg(wake_up(id, seq, tenant_id, recipient_id, recipient, traceparent, correlation_id) ORDER BY id),
        array_agg(id ORDER BY id)
    FROM (SELECT i.*, outbox_chunk(row_number() OVER (PARTITION BY tenant_id, channel, priority ORDER BY id)) AS chunk
        FROM inserted i WHERE status = 'pending') i
    GROUP BY tenant_id, channel, priority, chunk
    RETURNING id, topic, messages
)
SELECT now() AS at,
    ARRAY(SELECT id FROM inserted) AS created,
    ARRAY(SELECT id FROM inserted WHERE status = 'scheduled') AS scheduled,
    (SELECT jsonb_agg(jsonb_build_array(id, topic, messages) ORDER BY id) FROM queued) AS entries;

-- name: find_by_keys
-- The notifications that hold body idempotency keys now.
SELECT k.tenant_id, k.key, n.*
FROM unnest($1::uuid[], $2::text[]) AS w(tenant_id, key)
JOIN idempotency_keys k ON k.tenant_id = w.tenant_id AND k.key = w.key AND k.expires_at > now()
JOIN notifications n ON n.id = k.notification_id;

-- name: get
SELECT * FROM notifications WHERE id = $2 AND tenant_id = $1;

-- name: list
-- Newest first: those that match among the tenant's next $9 below an id ($2) and not below another ($3). Their ids come
-- from the index alone, then each row from its id: for a large tenant the planner would rather read the index of all
-- ids, and with it everybody's newest, for which a tenant that was busy long ago would have to wait.
WITH span AS MATERIALIZED (
    SELECT id FROM notifications WHERE tenant_id = $1 AND id < $2 AND id >= $3 ORDER BY id DESC LIMIT $9
)
SELECT n.* FROM span CROSS JOIN LATERAL (SELECT * FROM notifications WHERE id = span.id OFFSET 0) n
WHERE ($4::text[] IS NULL OR n.status = ANY ($4))
    AND ($5::text IS NULL OR n.channel = $5)
    AND ($6::text IS NULL OR n.template_name = $6 OR n.template_id::text = $6)
    AND ($7::timestamptz IS NULL OR n.created_at >= $7)
    AND ($8::timestamptz IS NULL OR n.created_at <= $8)
ORDER BY span.id DESC LIMIT $10;

-- name: list_end
-- The last of such a span; no row where it has fewer than $4.
SELECT id FROM notifications WHERE tenant_id = $1 AND id < $2 AND id >= $3
ORDER BY id DESC OFFSET $4::integer - 1 LIMIT 1;

-- name: list_recipient
-- As list, to one address ($10).
SELECT * FROM notifications
WHERE tenant_id = $1 AND md5(recipient) = md5($10::text) AND recipient = $10 AND id < $2 AND id >= $3
    AND ($4::text[] IS NULL OR status = ANY ($4))
    AND ($5::text IS NULL OR channel = $5)
    AND ($6::text IS NULL OR template_name = $6 OR template_id::text = $6)
    AND ($7::timestamptz IS NULL OR created_at >= $7)
    AND ($8::timestamptz IS NULL OR created_at <= $8)
    AND ($11::text IS NULL OR recipient_id = $11)
    AND ($12::uuid IS NULL OR batch_id = $12)
ORDER BY id DESC LIMIT $9;

-- name: list_recipient_id
-- As list, to one stored recipient ($10).
SELECT * FROM notifications
WHERE tenant_id = $1 AND recipient_id = $10 AND id < $2 AND id >= $3
    AND ($4::text[] IS NULL OR status = ANY ($4))
    AND ($5::text IS NULL OR channel = $5)
    AND ($6::text IS NULL OR template_name = $6 OR template_id::text = $6)
    AND ($7::timestamptz IS NULL OR created_at >= $7)
    AND ($8::timestamptz IS NULL OR created_at <= $8)
    AND ($11::uuid IS NULL OR batch_id = $11)
ORDER BY id DESC LIMIT $9;

-- name: list_batch
-- As list, of one batch ($10).
SELECT * FROM notifications
WHERE tenant_id = $1 AND batch_id = $10 AND id < $2 AND id >= $3
    AND ($4::text[] IS NULL OR status = ANY ($4))
    AND ($5::text IS NULL OR channel = $5)
    AND ($6::text IS NULL OR template_name = $6 OR template_id::text = $6)
    AND ($7::timestamptz IS NULL OR created_at >= $7)
    AND ($8::timestamptz IS NULL OR created_at <= $8)
ORDER BY id DESC LIMIT $9;

-- name: cancel
WITH cancelled AS (
    UPDATE notifications n
    SET status = 'cancelled', reason = 'cancelled by the sender', due_at = NULL, updated_at = now()
    WHERE id = $2 AND tenant_id = $1 AND status IN ('pending', 'scheduled', 'retrying', 'deferred')
    RETURNING n.*, status_event(n) AS event
), uncounted AS (
    DELETE FROM cap_uses u USING cancelled c WHERE u.notification_id = c.id
), traced AS (
    INSERT INTO trace_steps (notification_id, gate, verdict, reason)
    SELECT id, 'cancel', 'cancelled', 'cancelled by the sender' FROM cancelled
), told AS (
    SELECT * FROM tell(ARRAY(SELECT tenant_id FROM cancelled), ARRAY(SELECT event FROM cancelled))
)
SELECT c.*, (SELECT jsonb_agg(jsonb_build_array(id, topic, messages)) FROM told) AS entries FROM cancelled c;

-- name: attempts
SELECT chain, number, provider, started_at, ended_at, duration_ms, outcome, error, late_outcome, late_at, steps
FROM attempts WHERE notification_id = $1 ORDER BY ended_at;

-- name: trace_steps
SELECT at, gate, verdict, reason, inputs, next_eligible_at
FROM trace_steps WHERE notification_id = $1 ORDER BY at;
