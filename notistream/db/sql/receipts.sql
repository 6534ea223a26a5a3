-- name: apply
-- The receipt $5 takes the place of one in a state of $6 and of an older chain's; beside any other it changes nothing.
-- Its notification is $3 in chain $4, or that of the attempt which provider $1 gave message id $2.
WITH sent AS (
    SELECT n.id, $4::integer AS chain FROM notifications n WHERE n.id = $3::uuid
    UNION
    SELECT a.notification_id, a.chain FROM attempts a
    WHERE a.provider_message_id = $2::text AND a.provider = $1::text AND NOT is_silent(a.provider) AND $3::uuid IS NULL
    ORDER BY chain DESC LIMIT 1
), moved AS (
    UPDATE notifications n
    SET receipt = $5::jsonb || jsonb_build_object('provider', $1::text, 'chain', s.chain), updated_at = now()
    FROM sent s
    WHERE n.id = s.id AND s.chain <= n.chain AND (n.receipt IS NULL OR (n.receipt ->> 'chain')::integer < s.chain
        OR ((n.receipt ->> 'chain')::integer = s.chain AND n.receipt ->> 'state' = ANY ($6::text[])))
    RETURNING n.id, n.tenant_id, n.status, n.reason, n.channel, n.priority, n.recipient, n.recipient_id, n.batch_id,
        n.category, n.attempts, n.chain, n.provider, n.provider_message_id, n.test, n.receipt
), suppressed AS (
    INSERT INTO suppressions (tenant_id, channel, address, reason, note)
    SELECT tenant_id, channel, CASE channel WHEN 'email' THEN lower(address) ELSE address END, $7, $5::jsonb ->> 'detail'
    FROM (SELECT m.*, coalesce(m.recipient, $8::text) AS address FROM moved m) m
    WHERE $7::text IS NOT NULL AND address IS NOT NULL
    ON CONFLICT (tenant_id, channel, address) DO NOTHING
), published AS (
    INSERT INTO outbox (tenant_id, topic, messages, ids)
    SELECT tenant_id, 'events', events_messages(tenant_id, jsonb_build_array(jsonb_set(
        status_event(id, status, reason, channel, priority, recipient_id, batch_id, category, attempts, chain, provider,
            provider_message_id, test) || '{"type": "notification.receipt"}', '{data,receipt}', receipt))), '{}'
    FROM moved
    RETURNING id, topic, messages
)
SELECT EXISTS (SELECT FROM sent) AS known, EXISTS (SELECT FROM moved) AS moved,
    (SELECT jsonb_agg(jsonb_build_array(id, topic, messages)) FROM published) AS entries;

-- name: keep
-- For a while: the record that it is about may be on its way.
INSERT INTO early_receipts (provider, message_id, state, at, detail, address)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (provider, message_id, state) DO NOTHING;

-- name: take_known
-- Those whose message is recorded by now.
DELETE FROM early_receipts e USING attempts a
WHERE a.provider_message_id = e.message_id AND a.provider = e.provider AND NOT is_silent(a.provider)
RETURNING e.provider, e.message_id, e.state, e.at, e.detail, e.address;

-- name: forget
DELETE FROM early_receipts WHERE received_at < now() - $1::interval RETURNING provider, state;
