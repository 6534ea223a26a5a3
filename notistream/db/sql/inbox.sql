-- name: keep
SELECT keep_in_inbox($1, $2, $3, $4, $5, $6, $7) AS id;

-- name: page
-- Newest first, before the place of message $3 (null: from the newest).
SELECT m.* FROM inbox_messages m
WHERE m.tenant_id = $1 AND m.recipient_id = $2
    AND m.seq < CASE WHEN $3::uuid IS NULL THEN 9223372036854775807 ELSE (
        SELECT c.seq FROM inbox_messages c WHERE c.id = $3 AND c.tenant_id = $1 AND c.recipient_id = $2) END
ORDER BY m.seq DESC LIMIT $4;

-- name: unread_page
-- The same of what is unread: a query of its own, so that it has an index of its own.
SELECT m.* FROM inbox_messages m
WHERE m.tenant_id = $1 AND m.recipient_id = $2 AND m.read_at IS NULL
    AND m.seq < CASE WHEN $3::uuid IS NULL THEN 9223372036854775807 ELSE (
        SELECT c.seq FROM inbox_messages c WHERE c.id = $3 AND c.tenant_id = $1 AND c.recipient_id = $2) END
ORDER BY m.seq DESC LIMIT $4;

-- name: after
-- Oldest first, behind a place.
SELECT * FROM inbox_messages WHERE tenant_id = $1 AND recipient_id = $2 AND seq > $3 ORDER BY seq LIMIT $4;

-- name: seq_of
SELECT seq FROM inbox_messages WHERE id = $3 AND tenant_id = $1 AND recipient_id = $2;

-- name: last_seq
SELECT coalesce(max(last_seq), 0) AS seq FROM inboxes WHERE tenant_id = $1 AND recipient_id = $2;

-- name: last_seqs
-- How far each of these inboxes has come.
SELECT i.tenant_id, i.recipient_id, i.last_seq
FROM unnest($1::uuid[], $2::text[]) AS w(tenant_id, recipient_id)
JOIN inboxes i ON i.tenant_id = w.tenant_id AND i.recipient_id = w.recipient_id;

-- name: unread
SELECT coalesce(max(unread), 0) AS unread FROM inboxes WHERE tenant_id = $1 AND recipient_id = $2;

-- name: mark_read
-- The inbox's row is locked before its messages, by everybody; the count follows from what really changed.
WITH inbox AS MATERIALIZED (
    SELECT tenant_id, recipient_id FROM inboxes WHERE tenant_id = $1 AND recipient_id = $2 FOR UPDATE
), marked AS (
    UPDATE inbox_messages m SET read_at = now()
    FROM inbox i
    WHERE m.tenant_id = i.tenant_id AND m.recipient_id = i.recipient_id AND m.id = $3 AND m.read_at IS NULL
    RETURNING m.id
), counted AS (
    UPDATE inboxes SET unread = unread - 1 WHERE tenant_id = $1 AND recipient_id = $2 AND EXISTS (SELECT FROM marked)
)
SELECT EXISTS (
    SELECT FROM inbox_messages WHERE id = $3 AND tenant_id = $1 AND recipient_id = $2) AS found,
    (SELECT count(*) FROM marked) AS marked;

-- name: mark_all_read
WITH inbox AS MATERIALIZED (
    SELECT tenant_id, recipient_id FROM inboxes WHERE tenant_id = $1 AND recipient_id = $2 FOR UPDATE
), marked AS (
    UPDATE inbox_messages m SET read_at = now()
    FROM inbox i WHERE m.tenant_id = i.tenant_id AND m.recipient_id = i.recipient_id AND m.read_at IS NULL
    RETURNING m.id
), counted AS (
    UPDATE inboxes SET unread = unread - (SELECT count(*)::integer FROM marked)
    WHERE tenant_id = $1 AND recipient_id = $2
)
SELECT count(*) AS marked FROM marked;

-- name: erase
-- The inbox's row stays: its places are never given twice, so that a stream that is open goes on.
WITH inbox AS MATERIALIZED (
    SELECT tenant_id, recipient_id FROM inboxes WHERE tenant_id = $1 AND recipient_id = $2 FOR UPDATE
), erased AS (
    DELETE FROM inbox_messages m USING inbox i WHERE m.tenant_id = i.tenant_id AND m.recipient_id = i.recipient_id
    RETURNING m.read_at
), counted AS (
    UPDATE inboxes SET unread = unread - (SELECT count(*)::integer FROM erased WHERE read_at IS NULL)
    WHERE tenant_id = $1 AND recipient_id = $2
)
SELECT count(*) AS erased FROM erased;
