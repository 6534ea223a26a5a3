-- name: find
-- Of any tenant: for operators.
SELECT * FROM notifications WHERE id = @id;

-- name: queue_place
-- Where one that is queued waits: held back behind others of its tenant, in the outbox, or on
-- Kafka.
SELECT n.channel || '.' || n.priority AS lane, n.queued_at,
    CASE WHEN o.held THEN 'held' WHEN o.id IS NOT NULL THEN 'outbox' ELSE 'kafka' END AS place,
    (SELECT coalesce(sum(cardinality(b.ids)), 0) FROM outbox b
        WHERE o.held AND b.held AND b.topic = o.topic AND b.tenant_id = o.tenant_id
            AND b.id < o.id) AS ahead
FROM notifications n
LEFT JOIN LATERAL (
    SELECT id, topic, tenant_id, held FROM outbox
    WHERE topic = n.channel || '.' || n.priority AND tenant_id = n.tenant_id AND n.id = ANY (ids)
    ORDER BY id DESC LIMIT 1) o ON true
WHERE n.id = @id AND n.status = 'pending';
