-- name: page
-- The next @take ended notifications of a range among the next @scan rows in the order of their
-- ids, and for each what its replay would do. Reads no further than it must. `at_end` says that the
-- range has no more.
WITH scanned AS MATERIALIZED (
    SELECT id, tenant_id, channel, status, chain, template_name, category, recipient, recipient_id,
        expires_at, created_at, erased
    FROM notifications
    WHERE id > @after AND id <= @last_id AND (@tenant_id::uuid IS NULL OR tenant_id = @tenant_id)
    ORDER BY id LIMIT @scan
), matching AS MATERIALIZED (
    SELECT * FROM scanned
    WHERE created_at >= @since AND created_at < @until AND status = ANY (@statuses::text[])
        AND (@channel::text IS NULL OR channel = @channel)
    ORDER BY id LIMIT @take
), judged AS MATERIALIZED (
    SELECT c.id, c.chain, c.channel, c.status, c.template_name,
        {{perhaps_again}} AS perhaps_again, {{verdict}} AS verdict
    FROM matching c
    {{join_recipient}}
)
SELECT ARRAY(SELECT id FROM judged WHERE verdict = 'send' ORDER BY id) AS ids,
    ARRAY(SELECT chain FROM judged WHERE verdict = 'send' ORDER BY id) AS chains,
    (SELECT jsonb_agg(jsonb_build_array(channel, status, template_name, verdict, count, perhaps))
     FROM (
        SELECT channel, status, template_name, verdict, count(*) AS count,
            count(*) FILTER (WHERE verdict = 'send' AND perhaps_again) AS perhaps
        FROM judged GROUP BY channel, status, template_name, verdict) g) AS groups,
    CASE WHEN (SELECT count(*) FROM matching) = @take
        THEN (SELECT id FROM matching ORDER BY id DESC LIMIT 1)
        ELSE (SELECT id FROM scanned ORDER BY id DESC LIMIT 1) END AS last_id,
    CASE WHEN (SELECT count(*) FROM matching) = @take THEN false
        ELSE (SELECT count(*) FROM scanned) < @scan END AS at_end;

-- fragment: perhaps_again
-- Whether the recipient of `c` may have had the message before.
c.status = 'delivered' OR EXISTS (
    SELECT FROM attempts a
    WHERE a.notification_id = c.id AND a.chain = c.chain AND a.outcome = 'unknown')

-- fragment: verdict
-- What a replay would do with `c`: send it, or why it would not.
CASE
    WHEN EXISTS (
        SELECT FROM replayed d WHERE d.replay_id = @replay_id AND d.notification_id = c.id)
        THEN 'replayed'
    WHEN c.status <> 'delivered' AND EXISTS (
        SELECT FROM attempts a WHERE a.notification_id = c.id AND a.chain = c.chain
            AND (a.outcome = 'delivered' OR a.late_outcome = 'delivered')) THEN 'duplicate'
    WHEN c.expires_at <= now() THEN 'expired'
    WHEN c.erased OR EXISTS (
        SELECT FROM suppressions_of(c.tenant_id, c.channel, c.category,
            address_of(c.channel, c.recipient, c.recipient_id, r.email, r.phone)))
        OR (d.tokens IS NULL AND d.suppressed IS NOT NULL) THEN 'suppressed'
    WHEN p.channels -> c.channel ->> 'enabled' = 'false' OR p.categories ->> c.category = 'false'
        THEN 'unwanted'
    ELSE 'send'
END

-- name: create
INSERT INTO replays (id, filter, rate, state, total) VALUES (@id, @filter, @rate, 'running', @total)
ON CONFLICT (id) DO NOTHING
RETURNING *;

-- name: get
SELECT * FROM replays WHERE id = @id;

-- name: list
-- Newest first; the cursor is the last id seen.
SELECT * FROM replays
WHERE @before::uuid IS NULL
    OR (created_at, id) < (SELECT r.created_at, r.id FROM replays r WHERE r.id = @before)
ORDER BY created_at DESC, id DESC LIMIT @limit;

-- name: set_state
-- From one state to another, where it is in the first; its clock starts again.
UPDATE replays SET state = @to, rate = coalesce(@rate, rate), updated_at = now()
WHERE id = @id AND state = @was RETURNING *;

-- name: lock_next
-- A running replay (or @only alone) that may queue at least one now, and that nobody advances; for
-- how long it has rested.
SELECT *, extract(epoch FROM now() - updated_at)::double precision AS rested_s FROM replays
WHERE state = 'running' AND (@only::uuid IS NULL OR id = @only)
    AND extract(epoch FROM now() - updated_at) * rate >= 1
ORDER BY updated_at LIMIT 1 FOR UPDATE SKIP LOCKED;

-- name: advance
-- What was queued uses up time at the replay's rate; rest does not add up to more than a second.
UPDATE replays
SET queued = queued + @queued, skipped = skipped + @skipped, last_id = coalesce(@last_id, last_id),
    state = CASE WHEN @at_end THEN 'finished' ELSE state END,
    updated_at = CASE WHEN @at_end THEN now()
        ELSE greatest(updated_at + (@queued + @skipped) / rate * interval '1 second',
            now() - interval '1 second') END
WHERE id = @id;

-- name: count_replayed
SELECT count(*) AS count FROM replayed WHERE replay_id = @id;
