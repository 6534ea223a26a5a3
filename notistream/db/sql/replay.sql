-- name: replay
-- terminal → pending under a new chain, once per replay id, where status and chain are as expected;
-- the dead letter of the chain that ended is marked as replayed. `unknown` is not terminal: it is
-- resolved, not replayed.
WITH m AS (
    SELECT DISTINCT ON (id, chain) id, chain FROM @items::records AS m(id uuid, chain integer)
), locked AS (
    SELECT n.id FROM notifications n JOIN m ON m.id = n.id
    WHERE n.status = ANY (@statuses::text[]) AND n.chain = coalesce(m.chain, n.chain)
        AND n.{{has_ended}}
    ORDER BY n.id FOR UPDATE OF n
), once AS (
    INSERT INTO replayed (replay_id, notification_id)
    SELECT DISTINCT @replay_id::uuid, id FROM locked
    ON CONFLICT (replay_id, notification_id) DO NOTHING
    RETURNING notification_id
), woken AS (
    UPDATE notifications n
    SET status = 'pending', seq = n.seq + 1, chain = n.chain + 1, attempts = 0, queued_at = now(),
        due_at = NULL, next_provider = NULL, sent_at = NULL, failed_at = NULL, reason = NULL,
        error_message = NULL, updated_at = now()
    FROM once o
    WHERE n.id = o.notification_id AND n.status = ANY (@statuses::text[])
    RETURNING n.*
), marked AS (
    UPDATE dead_letters d SET replayed_at = now()
    FROM woken w WHERE d.notification_id = w.id AND d.chain = w.chain - 1 AND d.replayed_at IS NULL
), traced AS (
    INSERT INTO trace_steps (notification_id, gate, verdict, reason, inputs)
    SELECT id, 'replay', 'queued', @reason,
        jsonb_build_object('replay_id', @replay_id, 'chain', chain) FROM woken
), queued AS (
    INSERT INTO outbox (tenant_id, topic, messages, ids)
    SELECT {{queue_entry}}
    FROM woken GROUP BY tenant_id, channel, priority
    RETURNING id, topic, messages
)
SELECT ARRAY(SELECT id FROM woken) AS replayed,
    (SELECT {{entries}} FROM queued) AS entries;
