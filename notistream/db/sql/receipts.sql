-- name: apply
-- A receipt takes the place of one in a state of @outweighed, or of an older chain's. Beside any
-- other it changes nothing. Its notification is @notification_id in chain @chain, or that of the
-- attempt to which the provider gave this message id.
WITH sent AS (
    SELECT n.id, @chain::integer AS chain FROM notifications n WHERE n.id = @notification_id::uuid
    UNION
    SELECT a.notification_id, a.chain FROM attempts a
    WHERE a.provider_message_id = @message_id::text AND a.provider = @provider::text
        AND NOT is_silent(a.provider) AND @notification_id::uuid IS NULL
    ORDER BY chain DESC LIMIT 1
), changed AS (
    UPDATE notifications n
    SET receipt = CASE WHEN n.erased THEN @receipt::jsonb - 'detail' ELSE @receipt::jsonb END
            || jsonb_build_object('provider', @provider::text, 'chain', s.chain),
        updated_at = now()
    FROM sent s
    WHERE n.id = s.id AND s.chain <= n.chain
        AND (n.receipt IS NULL OR (n.receipt ->> 'chain')::integer < s.chain
            OR ((n.receipt ->> 'chain')::integer = s.chain
                AND n.receipt ->> 'state' = ANY (@outweighed::text[])))
    RETURNING n.tenant_id, n.channel, n.erased,
        address_of(n.channel, coalesce(n.recipient, @address::text), NULL, NULL, NULL) AS address,
        jsonb_set(status_event(n)
            || jsonb_build_object('id', gen_random_uuid(), 'type', 'notification.receipt'),
            '{data,receipt}', n.receipt) AS event
), suppressed AS (
    INSERT INTO suppressions (tenant_id, channel, address, reason, note)
    SELECT tenant_id, channel, address, @suppression, @receipt::jsonb ->> 'detail' FROM changed
    WHERE @suppression::text IS NOT NULL AND address IS NOT NULL AND NOT erased
    ON CONFLICT DO NOTHING
), published AS (
    {{tell_changed}}
)
SELECT EXISTS (SELECT FROM sent) AS known, EXISTS (SELECT FROM changed) AS moved,
    (SELECT {{entries}} FROM published) AS entries;

-- name: keep
-- For a while: the record that it is about may be on its way.
INSERT INTO early_receipts (provider, message_id, state, at, detail, address)
VALUES (@provider, @message_id, @state, @at, @detail, @address)
ON CONFLICT (provider, message_id, state) DO NOTHING;

-- name: take_known
-- Those whose message is recorded by now.
DELETE FROM early_receipts e USING attempts a
WHERE a.provider_message_id = e.message_id AND a.provider = e.provider AND NOT is_silent(a.provider)
RETURNING e.provider, e.message_id, e.state, e.at, e.detail, e.address;

-- name: forget
DELETE FROM early_receipts WHERE received_at < now() - @after::interval RETURNING provider, state;
