-- name: end_of_stretch
-- The id at which the newest $5 of a span end, of one tenant or of all; no row where there are not so many. The two
-- halves are for two indexes: of the one that is not meant nothing is read. Pairs are compared, because for an equal
-- tenant the planner may take the index of all ids, and read everybody's.
(SELECT id FROM notifications WHERE (tenant_id, id) < ($1::uuid, $2::uuid) AND (tenant_id, id) >= ($1, $3) AND $4
ORDER BY tenant_id DESC, id DESC OFFSET $5::integer - 1 LIMIT 1)
UNION ALL
(SELECT id FROM notifications WHERE id < $2 AND id >= $3 AND NOT $4::boolean
ORDER BY id DESC OFFSET $5::integer - 1 LIMIT 1);

-- name: of_tenant
-- Newest first within ids; the text and the values of a message are not for a list.
SELECT n.id, n.tenant_id, n.channel, n.priority, n.status, n.reason, n.recipient, n.recipient_id, n.template_name,
    n.due_at, n.created_at, n.test, n.attempts
FROM notifications n
WHERE (n.tenant_id, n.id) < ($1::uuid, $2::uuid) AND (n.tenant_id, n.id) >= ($1, $3::uuid)
    AND ($4::text IS NULL OR n.status = $4) AND ($5::text IS NULL OR n.channel = $5)
    AND ($6::text IS NULL OR n.recipient = $6 OR n.recipient_id = $6)
    AND ($7::text IS NULL OR n.template_name = $7 OR n.template_id::text = $7)
ORDER BY n.tenant_id DESC, n.id DESC LIMIT $8;

-- name: of_all
-- As of_tenant, of every tenant.
SELECT n.id, n.tenant_id, n.channel, n.priority, n.status, n.reason, n.recipient, n.recipient_id, n.template_name,
    n.due_at, n.created_at, n.test, n.attempts
FROM notifications n
WHERE n.id < $1 AND n.id >= $2
    AND ($3::text IS NULL OR n.status = $3) AND ($4::text IS NULL OR n.channel = $4)
    AND ($5::text IS NULL OR n.recipient = $5 OR n.recipient_id = $5)
    AND ($6::text IS NULL OR n.template_name = $6 OR n.template_id::text = $6)
ORDER BY n.id DESC LIMIT $7;

-- name: batch
-- The notifications of one batch, newest first.
SELECT n.id, n.tenant_id, n.channel, n.priority, n.status, n.reason, n.recipient, n.recipient_id, n.template_name,
    n.due_at, n.created_at, n.test, n.attempts
FROM notifications n WHERE n.batch_id = $1 AND n.id < $2 ORDER BY n.id DESC LIMIT $3;

-- name: traceparent
SELECT traceparent FROM notifications WHERE id = $1;

-- name: names
SELECT id, name FROM tenants WHERE id = ANY ($1::uuid[]);
