-- name: try_lock
SELECT pg_try_advisory_xact_lock(@lock) AS locked;

-- name: fold_totals
-- Totals of hours that ended two months ago and more become part of their month's, in its first
-- hour: the sum over a tenant's whole past stays short.
WITH old AS MATERIALIZED (
    SELECT tenant_id, channel, hour FROM channel_totals
    WHERE hour < date_trunc('month', now() - interval '62 days', 'UTC')
        AND hour <> date_trunc('month', hour, 'UTC')
    ORDER BY hour DESC LIMIT @limit FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM channel_totals t USING old o
    WHERE t.tenant_id = o.tenant_id AND t.channel = o.channel AND t.hour = o.hour
    RETURNING t.*
), folded AS (
    INSERT INTO channel_totals AS t (tenant_id, channel, hour, sent, failed, latency_ms_sum)
    SELECT tenant_id, channel, date_trunc('month', hour, 'UTC'), sum(sent), sum(failed),
        sum(latency_ms_sum)
    FROM gone GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    {{add_totals}}
)
SELECT count(*) AS count FROM gone;

-- fragment: after
-- Where the page after `page` begins; null at the end.
CASE WHEN (SELECT count(*) FROM page) = @limit
        THEN (SELECT id FROM page ORDER BY id DESC LIMIT 1) END AS after

-- name: notifications
-- Deletes those of the next @limit that were accepted and ended longer ago than @keep, with all
-- that tells of them; without @really it only counts them. What waits stays, and what a dead
-- letter that nobody has decided on still needs.
WITH page AS MATERIALIZED (
    SELECT id FROM notifications
    WHERE id > @after AND id < first_id(now() - @keep::interval) ORDER BY id LIMIT @limit
), old AS MATERIALIZED (
    SELECT n.id FROM page p JOIN notifications n ON n.id = p.id
    WHERE n.{{has_ended}} AND n.updated_at < now() - @keep::interval
        AND NOT EXISTS (SELECT FROM dead_letters d
            WHERE d.notification_id = n.id AND d.replayed_at IS NULL AND d.deleted_at IS NULL)
), locked AS MATERIALIZED (
    SELECT n.id FROM old o JOIN notifications n ON n.id = o.id
    WHERE @really AND n.{{has_ended}}
    ORDER BY n.id FOR UPDATE OF n SKIP LOCKED
), attempted AS (
    DELETE FROM attempts WHERE notification_id = ANY (ARRAY(SELECT id FROM locked))
), traced AS (
    DELETE FROM trace_steps WHERE notification_id = ANY (ARRAY(SELECT id FROM locked))
), replays AS (
    DELETE FROM replayed WHERE notification_id = ANY (ARRAY(SELECT id FROM locked))
), repaired AS (
    DELETE FROM repairs WHERE notification_id = ANY (ARRAY(SELECT id FROM locked))
), gone AS (
    DELETE FROM notifications WHERE id = ANY (ARRAY(SELECT id FROM locked))
)
SELECT (SELECT count(*) FROM old o
    WHERE NOT @really OR EXISTS (SELECT FROM locked l WHERE l.id = o.id)) AS count,
    {{after}};

-- name: batches
-- Those of which no notification is left.
WITH page AS MATERIALIZED (
    SELECT id FROM batches
    WHERE id > @after AND id < first_id(now() - @keep::interval) ORDER BY id LIMIT @limit
), old AS MATERIALIZED (
    SELECT p.id FROM page p WHERE NOT EXISTS (SELECT FROM notifications n WHERE n.batch_id = p.id)
), gone AS (
    DELETE FROM batches WHERE @really AND id = ANY (ARRAY(SELECT id FROM old))
)
SELECT (SELECT count(*) FROM old) AS count,
    {{after}};

-- name: webhook_deliveries
-- Those that have ended; what an inactive endpoint waits for stays.
WITH page AS MATERIALIZED (
    SELECT id, due_at FROM webhook_deliveries
    WHERE id > @after AND id < first_id(now() - @keep::interval) ORDER BY id LIMIT @limit
), gone AS (
    DELETE FROM webhook_deliveries
    WHERE @really AND id = ANY (ARRAY(SELECT id FROM page)) AND due_at IS NULL
)
SELECT (SELECT count(*) FROM page WHERE due_at IS NULL) AS count,
    {{after}};

-- name: templates
-- Deleted ones that no notification names any more. Who accepts has a template for a moment after
-- it is deleted, so the notifications of an hour later are looked at too.
WITH old AS (
    SELECT t.id FROM templates t
    WHERE t.deleted_at < now() - @keep::interval AND NOT EXISTS (SELECT FROM notifications n
        WHERE n.id < first_id(now() - @keep::interval + interval '1 hour') AND n.template_id = t.id)
    LIMIT @limit
), gone AS (
    DELETE FROM templates WHERE @really AND id = ANY (ARRAY(SELECT id FROM old))
)
SELECT count(*) AS count FROM old;

-- name: dead_letters
WITH old AS (
    SELECT id FROM dead_letters
    WHERE created_at < now() - @keep::interval ORDER BY created_at LIMIT @limit
), gone AS (
    DELETE FROM dead_letters WHERE @really AND id = ANY (ARRAY(SELECT id FROM old))
)
SELECT count(*) AS count FROM old;

-- name: inbox_messages
-- Their inboxes are locked first, as by everybody, and say how many unread ones are left.
WITH old AS MATERIALIZED (
    SELECT id, tenant_id, recipient_id FROM inbox_messages
    WHERE created_at < now() - @keep::interval
    ORDER BY created_at LIMIT @limit
), inbox AS MATERIALIZED (
    SELECT i.tenant_id, i.recipient_id
    FROM (SELECT DISTINCT tenant_id, recipient_id FROM old WHERE @really ORDER BY 1, 2) o
    CROSS JOIN LATERAL (
        SELECT tenant_id, recipient_id FROM inboxes
        WHERE tenant_id = o.tenant_id AND recipient_id = o.recipient_id FOR UPDATE) i
), gone AS (
    DELETE FROM inbox_messages m USING old o, inbox i
    WHERE m.id = o.id AND i.tenant_id = o.tenant_id AND i.recipient_id = o.recipient_id
    RETURNING m.tenant_id, m.recipient_id, m.read_at
), counted AS (
    UPDATE inboxes i SET unread = i.unread - g.count
    FROM (SELECT tenant_id, recipient_id, count(*)::integer AS count FROM gone
        WHERE read_at IS NULL GROUP BY 1, 2) g
    WHERE i.tenant_id = g.tenant_id AND i.recipient_id = g.recipient_id
)
SELECT count(*) AS count FROM old;

-- name: audit_log
WITH old AS (
    SELECT id FROM audit_log WHERE at < now() - @keep::interval ORDER BY at LIMIT @limit
), gone AS (
    DELETE FROM audit_log WHERE @really AND id = ANY (ARRAY(SELECT id FROM old))
)
SELECT count(*) AS count FROM old;
