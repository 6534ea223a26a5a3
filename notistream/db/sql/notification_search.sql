-- name: end_of_stretch
-- The id at which the newest @stretch of a span end, of one tenant or of all; no row where there
-- are not so many. The two halves are for two indexes: of the one that is not meant nothing is
-- read. Pairs are compared, because for an equal tenant the planner may take the index of all ids,
-- and read everybody's.
(SELECT id FROM notifications
WHERE (tenant_id, id) < (@tenant_id::uuid, @below::uuid) AND (tenant_id, id) >= (@tenant_id, @above)
    AND @is_of_tenant
ORDER BY tenant_id DESC, id DESC OFFSET @stretch::integer - 1 LIMIT 1)
UNION ALL
(SELECT id FROM notifications
WHERE id < @below AND id >= @above AND NOT @is_of_tenant::boolean
ORDER BY id DESC OFFSET @stretch::integer - 1 LIMIT 1);

-- fragment: shown
-- A line of the list.
n.id, n.tenant_id, n.channel, n.priority, n.status, n.reason, n.recipient, n.recipient_id,
n.template_name, n.due_at, n.created_at, n.test, n.attempts

-- fragment: matches
-- The filters of a search. Each is optional.
(@status::text IS NULL OR n.status = @status)
    AND (@channel::text IS NULL OR n.channel = @channel)
    AND (@recipient::text IS NULL OR n.recipient = @recipient OR n.recipient_id = @recipient)
    AND {{of_template}}

-- name: of_tenant
-- Newest first within ids; the text and the values of a message are not for a list.
SELECT {{shown}}
FROM notifications n
WHERE (n.tenant_id, n.id) < (@tenant_id::uuid, @below::uuid)
    AND (n.tenant_id, n.id) >= (@tenant_id, @above::uuid)
    AND {{matches}}
ORDER BY n.tenant_id DESC, n.id DESC LIMIT @limit;

-- name: of_all
-- As of_tenant, of every tenant.
SELECT {{shown}}
FROM notifications n
WHERE n.id < @below AND n.id >= @above
    AND {{matches}}
ORDER BY n.id DESC LIMIT @limit;

-- name: batch
-- The notifications of one batch, newest first.
SELECT {{shown}}
FROM notifications n WHERE n.batch_id = @batch_id AND n.id < @below ORDER BY n.id DESC LIMIT @limit;

-- name: traceparent
SELECT traceparent FROM notifications WHERE id = @id;

-- name: names
SELECT id, name FROM tenants WHERE id = ANY (@ids::uuid[]);
