-- name: facts
-- What a claim would read for a recipient; the moment is now, or @scheduled_at where that lies
-- ahead.
SELECT greatest(now(), @scheduled_at::timestamptz) AS at,
    coalesce(@locale::text, r.locale) AS locale, {{recipient_facts}}
FROM (SELECT @tenant_id::uuid AS tenant_id, @channel::text AS channel,
    @recipient::text AS recipient, @recipient_id::text AS recipient_id,
    @category::text AS category) c
{{join_recipient}};

-- name: cap_uses
-- Uses of a cap of @count in the window @window before @at, and when the next one is free.
WITH uses AS (
    SELECT at FROM cap_uses
    WHERE tenant_id = @tenant_id AND recipient_id = @recipient_id AND channel = @channel
        AND at > @at::timestamptz - @window::interval
)
SELECT count(*) AS used,
    (SELECT at + @window::interval
     FROM uses ORDER BY at DESC OFFSET greatest(@count::integer - 1, 0) LIMIT 1) AS free_at
FROM uses;

-- name: blocked_providers
-- Providers of the channel that nobody would call at @at: paused ('' is all of them), or with a
-- breaker that is not closed on every live worker. A worker lives while it holds the lock of its
-- slot.
WITH live AS (
    SELECT objid::bigint AS slot FROM pg_locks
    WHERE locktype = 'advisory' AND classid::bigint = @slots AND objsubid = 2 AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
)
SELECT provider, 'paused: ' || concat_ws('/', channel, nullif(provider, '')) AS reason,
    NULL::timestamptz AS until
FROM pauses WHERE channel = @channel
UNION ALL
SELECT b.provider, 'the breaker of ' || b.provider || ' is open: ' || min(b.reason), min(b.probe_at)
FROM breakers b JOIN live l ON l.slot = b.slot
WHERE b.channel = @channel AND b.probe_at > @at
GROUP BY b.provider HAVING count(*) = (SELECT count(*) FROM live);
