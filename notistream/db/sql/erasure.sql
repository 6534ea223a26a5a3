-- name: known
-- What leads to the data of a recipient: contacts and wishes, as far as they are stored.
SELECT r.email, r.phone, r.id IS NOT NULL OR p.recipient_id IS NOT NULL AS stored,
    ARRAY(SELECT token FROM device_tokens WHERE tenant_id = @tenant_id
        AND recipient_id = @recipient_id) AS tokens,
    coalesce(p.channels, '{}') AS channels, coalesce(p.categories, '{}') AS categories
FROM (SELECT @tenant_id::uuid AS tenant_id, @recipient_id::text AS id) w
LEFT JOIN recipients r ON r.tenant_id = w.tenant_id AND r.id = w.id
LEFT JOIN preferences p ON p.tenant_id = w.tenant_id AND p.recipient_id = w.id;

-- name: page
-- Those of the tenant's next @size notifications that are for the recipient or to one of the
-- addresses.
WITH span AS MATERIALIZED (
    SELECT id FROM notifications
    WHERE tenant_id = @tenant_id
        AND id > coalesce(@after::uuid, '00000000-0000-0000-0000-000000000000') ORDER BY id
            LIMIT @size
), page AS MATERIALIZED (
    SELECT n.* FROM span CROSS JOIN LATERAL (
        SELECT id, channel, recipient, recipient_id FROM notifications
        WHERE id = span.id OFFSET 0) n
), mine AS MATERIALIZED (
    SELECT m.channel, address_of(m.channel, m.address, NULL, NULL, NULL) AS address
    FROM @addresses::records AS m(channel text, address text)
)
SELECT ARRAY(
        SELECT id FROM page p
        WHERE recipient_id = @recipient_id
            OR (channel, address_of(channel, recipient, recipient_id, NULL, NULL)) IN (
                SELECT channel, address FROM mine)
        ORDER BY id) AS ids,
    CASE WHEN (SELECT count(*) FROM page) = @size
        THEN (SELECT id FROM page ORDER BY id DESC LIMIT 1) END AS next;

-- name: erase
-- Takes the words out of notifications and of all that tells of them; what waits is cancelled. What
-- is being delivered ends as it would have, and `finish` writes no word back. Statuses, counts and
-- times stay.
WITH locked AS (
    SELECT id, {{is_waiting}} AS waits FROM notifications
    WHERE tenant_id = @tenant_id AND id = ANY (@ids::uuid[]) ORDER BY id FOR UPDATE
), erased AS (
    UPDATE notifications n
    SET erased = true, recipient = NULL, recipient_id = @tombstone, subject = NULL, content = NULL,
        template_variables = '{}', metadata = '{}', error_message = NULL, idempotency_key = NULL,
        correlation_id = NULL, provider_message_id = NULL, receipt = n.receipt - 'detail',
        status = CASE WHEN l.waits THEN 'cancelled' ELSE n.status END,
        due_at = CASE WHEN NOT l.waits THEN n.due_at END, updated_at = now(),
        reason = CASE WHEN l.waits OR n.reason IS NOT NULL THEN @reason END
    FROM locked l WHERE n.id = l.id
    RETURNING n.id, l.waits, n.tenant_id, CASE WHEN l.waits THEN status_event(n) END AS event
), attempted AS (
    UPDATE attempts a SET error = NULL, provider_message_id = NULL, steps = '[]'
    FROM erased e WHERE a.notification_id = e.id
), traced AS (
    UPDATE trace_steps t SET reason = @reason, inputs = '{}' FROM erased e
    WHERE t.notification_id = e.id
), buried AS (
    UPDATE dead_letters d
    SET reason = @reason, key = NULL, value = NULL, headers = '[]', history = '[]'
    FROM erased e WHERE d.notification_id = e.id
), uncounted AS (
    DELETE FROM cap_uses u USING erased e WHERE u.notification_id = e.id AND e.waits
), told AS (
    INSERT INTO trace_steps (notification_id, gate, verdict, reason)
    SELECT id, 'erasure', CASE WHEN waits THEN 'cancelled' ELSE 'erased' END, @reason FROM erased
), events AS (
    SELECT * FROM tell(ARRAY(SELECT tenant_id FROM erased WHERE waits),
        ARRAY(SELECT event FROM erased WHERE waits))
)
SELECT count(*) AS erased, count(*) FILTER (WHERE waits) AS cancelled,
    (SELECT {{entries}} FROM events) AS entries
FROM erased;

-- name: erase_records
-- Records that nobody could read and that were on their way to the recipient, or name one of the
-- addresses.
UPDATE dead_letters SET reason = @reason, key = NULL, value = NULL, headers = '[]'
WHERE notification_id IS NULL AND coalesce(tenant_id, @tenant_id) = @tenant_id AND (
    key IN (SELECT convert_to(record_key(@tenant_id, NULL, name),
        'UTF8') FROM unnest(@names::text[]) AS name)
    OR EXISTS (SELECT FROM unnest(@words::text[]) AS word
        WHERE position(convert_to(word, 'UTF8') IN value) > 0))
RETURNING id;

-- name: forget_answers
-- Of the next @size stored answers those that name the recipient or an address: a repeated request
-- finds what it made by the keys of the notifications.
WITH page AS MATERIALIZED (
    SELECT route, key, body FROM idempotent_requests
    WHERE tenant_id = @tenant_id
        AND (@after_route::text IS NULL OR (route, key) > (@after_route, @after_key::text))
            ORDER BY route, key LIMIT @size
), gone AS (
    DELETE FROM idempotent_requests r USING page p
    WHERE r.tenant_id = @tenant_id AND r.route = p.route AND r.key = p.key AND EXISTS (
        SELECT FROM unnest(@words::text[]) AS word
        WHERE strpos(lower(convert_from(p.body, 'UTF8')), lower(word)) > 0)
    RETURNING 1
)
SELECT (SELECT count(*) FROM gone) AS count, last.route, last.key
FROM (SELECT count(*) AS size FROM page) s
LEFT JOIN LATERAL (SELECT route, key FROM page WHERE s.size = @size ORDER BY route DESC,
    key DESC LIMIT 1) last ON true;

-- name: forget_sandbox
DELETE FROM sandbox_messages
WHERE tenant_id = @tenant_id AND (recipient_id = @recipient_id OR recipient = ANY (@names::text[]))
RETURNING id;

-- name: keep_suppressions
-- Suppressions of the addresses go on without the address. What the recipient had turned off
-- becomes one of them; the category '' stands for all.
WITH gone AS (
    DELETE FROM suppressions s
    USING (SELECT m.channel, address_of(m.channel, m.address, NULL, NULL, NULL) AS address
        FROM @addresses::records AS m(channel text, address text)) m
    WHERE s.tenant_id = @tenant_id AND s.channel = m.channel AND s.address = m.address
    RETURNING s.channel, s.address, s.category, s.reason, s.created_at
)
INSERT INTO suppressions (tenant_id, channel, address, category, reason, created_at)
SELECT DISTINCT ON (channel, address, category) @tenant_id, channel,
    erased_address(@tenant_id, address), category, reason, created_at
FROM (
    SELECT * FROM gone
    UNION ALL
    SELECT w.channel, address_of(w.channel, w.address, NULL, NULL, NULL), w.category, 'unsubscribe',
        now()
    FROM @opt_outs::records AS w(channel text, address text, category text)) k
ORDER BY channel, address, category, created_at
ON CONFLICT DO NOTHING;

-- name: forget
-- The recipient, with device tokens, wishes and inbox, and what was counted against caps.
WITH wishes AS (
    DELETE FROM preferences WHERE tenant_id = @tenant_id AND recipient_id = @recipient_id
), counts AS (
    DELETE FROM cap_uses WHERE tenant_id = @tenant_id AND recipient_id = @recipient_id
), inbox AS (
    DELETE FROM inboxes WHERE tenant_id = @tenant_id AND recipient_id = @recipient_id
)
DELETE FROM recipients WHERE tenant_id = @tenant_id AND id = @recipient_id;
