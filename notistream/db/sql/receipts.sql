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
    SET receipt = CASE WHEN n.erased THEN $5::jsonb - 'detail' ELSE $5::jsonb END || jsonb_build_object('provider', $1::text, 'chain', s.chain), updated_at = now()
    FROM sent s
    WHERE n.id = s.id AND s.chain <= n.chain AND (n.receipt IS NULL OR (n.receipt ->> 'chain')::integer < s.chain
        OR ((n.receipt ->> 'chain')::integer = s.chain AND n.receipt ->> 'state' = ANY ($6::text[])))
    RETURNING n.tenant_id, n.channel, n.erased,
        address_of(n.channel, coalesce(n.recipient, $8::text), NULL, NULL, NULL) AS address,
        jsonb_set(status_event(n) || jsonb_build_object('id', gen_random_uuid(), 'type', 'notification.receipt'),
            '{data,receipt}', n.receipt) AS event
), suppressed AS (
    INSERT INTO suppressions (tenant_id, channel, address, reason, note)
    SELECT tenant_id, channel, address, $7, $5::jsonb ->> 'detail' FROM moved
    WHERE $7::text IS NOT NULL AND address IS NOT NULL AND NOT erased
    ON CONFLICT DO NOTHING
), published AS (
    SELECT * FROM tell(ARRAY(SELECT tenant_id FROM moved), ARRAY(SELECT event FROM moved))
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
