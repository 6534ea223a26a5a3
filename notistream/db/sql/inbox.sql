-- name: keep
SELECT keep_in_inbox(
    ids => @ids, tenants => @tenants, recipients => @recipients, notifications => @notifications,
    titles => @titles, bodies => @bodies, payloads => @payloads) AS id;

-- fragment: before
-- Messages `m` before the place of message @before; null is the end of the inbox.
m.seq < CASE WHEN @before::uuid IS NULL THEN 9223372036854775807 ELSE (
        SELECT c.seq FROM inbox_messages c
        WHERE c.id = @before AND c.tenant_id = @tenant_id AND c.recipient_id = @recipient_id) END

-- fragment: lock_inbox
-- Everybody locks the inbox's row before its messages.
SELECT tenant_id, recipient_id FROM inboxes
WHERE tenant_id = @tenant_id AND recipient_id = @recipient_id FOR UPDATE

-- name: page
-- Newest first, before the place of message @before (null: from the newest).
SELECT m.* FROM inbox_messages m
WHERE m.tenant_id = @tenant_id AND m.recipient_id = @recipient_id
    AND {{before}}
ORDER BY m.seq DESC LIMIT @limit;

-- name: unread_page
-- The same of what is unread: a query of its own, so that it has an index of its own.
SELECT m.* FROM inbox_messages m
WHERE m.tenant_id = @tenant_id AND m.recipient_id = @recipient_id AND m.read_at IS NULL
    AND {{before}}
ORDER BY m.seq DESC LIMIT @limit;

-- name: after
-- Oldest first, behind a place.
SELECT * FROM inbox_messages
WHERE tenant_id = @tenant_id AND recipient_id = @recipient_id AND seq > @seq
ORDER BY seq LIMIT @limit;

-- name: seq_of
SELECT seq FROM inbox_messages
WHERE id = @id AND tenant_id = @tenant_id AND recipient_id = @recipient_id;

-- name: last_seq
SELECT coalesce(max(last_seq), 0) AS seq FROM inboxes
WHERE tenant_id = @tenant_id AND recipient_id = @recipient_id;

-- name: last_seqs
-- How far each of these inboxes has come.
SELECT i.tenant_id, i.recipient_id, i.last_seq
FROM @owners::records AS w(tenant_id uuid, recipient_id text)
JOIN inboxes i ON i.tenant_id = w.tenant_id AND i.recipient_id = w.recipient_id;

-- name: unread
SELECT coalesce(max(unread), 0) AS unread FROM inboxes
WHERE tenant_id = @tenant_id AND recipient_id = @recipient_id;

-- name: mark_read
-- The inbox's row is locked before its messages, by everybody; the count follows from what really
-- changed.
WITH inbox AS MATERIALIZED (
    {{lock_inbox}}
), marked AS (
    UPDATE inbox_messages m SET read_at = now()
    FROM inbox i
    WHERE m.tenant_id = i.tenant_id AND m.recipient_id = i.recipient_id AND m.id = @id
        AND m.read_at IS NULL
    RETURNING m.id
), counted AS (
    UPDATE inboxes SET unread = unread - 1
    WHERE tenant_id = @tenant_id AND recipient_id = @recipient_id AND EXISTS (SELECT FROM marked)
)
SELECT EXISTS (
    SELECT FROM inbox_messages
    WHERE id = @id AND tenant_id = @tenant_id AND recipient_id = @recipient_id) AS found,
    (SELECT count(*) FROM marked) AS marked;

-- name: mark_all_read
WITH inbox AS MATERIALIZED (
    {{lock_inbox}}
), marked AS (
    UPDATE inbox_messages m SET read_at = now()
    FROM inbox i
    WHERE m.tenant_id = i.tenant_id AND m.recipient_id = i.recipient_id AND m.read_at IS NULL
    RETURNING m.id
), counted AS (
    UPDATE inboxes SET unread = unread - (SELECT count(*)::integer FROM marked)
    WHERE tenant_id = @tenant_id AND recipient_id = @recipient_id
)
SELECT count(*) AS marked FROM marked;

-- name: erase
-- The inbox's row stays: its places are never given twice, so that a stream that is open goes on.
WITH inbox AS MATERIALIZED (
    {{lock_inbox}}
), erased AS (
    DELETE FROM inbox_messages m USING inbox i
    WHERE m.tenant_id = i.tenant_id AND m.recipient_id = i.recipient_id
    RETURNING m.read_at
), counted AS (
    UPDATE inboxes
    SET unread = unread - (SELECT count(*)::integer FROM erased WHERE read_at IS NULL)
    WHERE tenant_id = @tenant_id AND recipient_id = @recipient_id
)
SELECT count(*) AS erased FROM erased;
