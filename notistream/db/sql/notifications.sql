-- name: create
-- Stores what is new, claims idempotency keys of bodies, and leaves an outbox entry for each tenant
-- and lane, in one transaction.
WITH input AS (
    SELECT * FROM @new::records AS i(
        id uuid, tenant_id uuid, batch_id uuid, channel text, priority text, recipient text,
        recipient_id text, subject text, content text, template_id uuid, template_name text,
        template_version integer, template_variables jsonb, category text, type text,
        metadata jsonb, on_unknown text, idempotency_key text, correlation_id text,
        traceparent text, scheduled_at timestamptz, expires_at timestamptz, locale text,
        test boolean)
), claimed AS (
    INSERT INTO idempotency_keys (tenant_id, key, notification_id, expires_at)
    SELECT DISTINCT ON (tenant_id, idempotency_key)
        tenant_id, idempotency_key, id, now() + @window::interval
    FROM input WHERE idempotency_key IS NOT NULL ORDER BY tenant_id, idempotency_key, id
    ON CONFLICT (tenant_id, key) DO UPDATE
        SET notification_id = excluded.notification_id, expires_at = excluded.expires_at
        WHERE idempotency_keys.expires_at <= now()
    RETURNING notification_id
), changed AS (
    INSERT INTO notifications ({{given}}, status, due_at, queued_at)
    SELECT {{given}},
        CASE WHEN scheduled_at > now() THEN 'scheduled' ELSE 'pending' END,
        CASE WHEN scheduled_at > now() THEN scheduled_at END,
        CASE WHEN scheduled_at > now() THEN NULL ELSE now() END
    FROM input WHERE idempotency_key IS NULL OR id IN (SELECT notification_id FROM claimed)
    RETURNING id, tenant_id, channel, priority, status, seq, recipient, recipient_id, traceparent,
        correlation_id
), queued AS (
    {{queue_changed}}
)
SELECT now() AS at, ARRAY(SELECT id FROM changed) AS created,
    ARRAY(SELECT id FROM changed WHERE status = 'scheduled') AS scheduled,
    (SELECT {{entries}} FROM queued) AS entries;

-- fragment: given
-- The columns of a notification that its sender decides on.
id, tenant_id, batch_id, channel, priority, recipient, recipient_id, subject, content, template_id,
template_name, template_version, template_variables, category, type, metadata, on_unknown,
idempotency_key, correlation_id, traceparent, scheduled_at, expires_at, locale, test

-- name: find_by_keys
-- The notifications that hold body idempotency keys now.
SELECT k.tenant_id, k.key, n.*
FROM @keys::records AS w(tenant_id uuid, key text)
JOIN idempotency_keys k ON k.tenant_id = w.tenant_id AND k.key = w.key AND k.expires_at > now()
JOIN notifications n ON n.id = k.notification_id;

-- name: get
SELECT * FROM notifications WHERE id = @id AND tenant_id = @tenant_id;

-- fragment: matches
-- The filters of a list that no index knows. Each is optional.
(@statuses::text[] IS NULL OR status = ANY (@statuses))
    AND (@channel::text IS NULL OR channel = @channel)
    AND {{of_template}}
    AND (@date_from::timestamptz IS NULL OR created_at >= @date_from)
    AND (@date_to::timestamptz IS NULL OR created_at <= @date_to)

-- name: list
-- Newest first: those that match among the tenant's next @stretch below an id (@below) and not
-- below another (@above). Their ids come from the index alone, then each row from its id: for a
-- large tenant the planner would rather read the index of all ids, and with it everybody's newest,
-- for which a tenant that was busy long ago would have to wait.
WITH span AS MATERIALIZED (
    SELECT id FROM notifications
    WHERE tenant_id = @tenant_id AND id < @below AND id >= @above ORDER BY id DESC LIMIT @stretch
)
SELECT n.* FROM span CROSS JOIN LATERAL (SELECT * FROM notifications WHERE id = span.id OFFSET 0) n
WHERE {{matches}}
ORDER BY span.id DESC LIMIT @limit;

-- name: list_end
-- The last of such a span; no row where it has fewer than @stretch.
SELECT id FROM notifications WHERE tenant_id = @tenant_id AND id < @below AND id >= @above
ORDER BY id DESC OFFSET @stretch::integer - 1 LIMIT 1;

-- name: list_recipient
-- As list, to one address (@recipient).
SELECT * FROM notifications
WHERE tenant_id = @tenant_id AND md5(recipient) = md5(@recipient::text) AND recipient = @recipient
    AND id < @below AND id >= @above
    AND {{matches}}
    AND (@recipient_id::text IS NULL OR recipient_id = @recipient_id)
    AND (@batch_id::uuid IS NULL OR batch_id = @batch_id)
ORDER BY id DESC LIMIT @limit;

-- name: list_recipient_id
-- As list, to one stored recipient (@recipient_id).
SELECT * FROM notifications
WHERE tenant_id = @tenant_id AND recipient_id = @recipient_id AND id < @below AND id >= @above
    AND {{matches}}
    AND (@batch_id::uuid IS NULL OR batch_id = @batch_id)
ORDER BY id DESC LIMIT @limit;

-- name: list_batch
-- As list, of one batch (@batch_id).
SELECT * FROM notifications
WHERE tenant_id = @tenant_id AND batch_id = @batch_id AND id < @below AND id >= @above
    AND {{matches}}
ORDER BY id DESC LIMIT @limit;

-- name: cancel
WITH changed AS (
    UPDATE notifications n
    SET status = 'cancelled', reason = 'cancelled by the sender', due_at = NULL, updated_at = now()
    WHERE id = @id AND tenant_id = @tenant_id AND {{is_waiting}}
    RETURNING n.*, status_event(n) AS event
), uncounted AS (
    {{uncount_changed}}
), traced AS (
    INSERT INTO trace_steps (notification_id, gate, verdict, reason)
    SELECT id, 'cancel', 'cancelled', 'cancelled by the sender' FROM changed
), told AS (
    {{tell_changed}}
)
SELECT c.*, (SELECT {{entries}} FROM told) AS entries FROM changed c;

-- name: attempts
SELECT chain, number, provider, started_at, ended_at, duration_ms, outcome, error, late_outcome,
    late_at, steps
FROM attempts WHERE notification_id = @notification_id ORDER BY ended_at;

-- name: trace_steps
SELECT at, gate, verdict, reason, inputs, next_eligible_at
FROM trace_steps WHERE notification_id = @notification_id ORDER BY at;
