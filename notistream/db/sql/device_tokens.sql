-- name: list_of
SELECT token, platform, created_at, last_seen_at FROM device_tokens
WHERE tenant_id = @tenant_id AND recipient_id = @recipient_id ORDER BY last_seen_at DESC;

-- name: lock
-- One change of a tenant's tokens at a time, until the end of the transaction: two may want to move
-- the same token.
SELECT pg_advisory_xact_lock(hashtextextended('device tokens ' || @tenant_id::uuid, 0));

-- name: replace
-- These are the recipient's tokens now, oldest first, and nobody else's.
WITH wanted AS (
    SELECT token, place, sha256(convert_to(token, 'UTF8')) AS digest
    FROM unnest(@tokens::text[]) WITH ORDINALITY AS w(token, place)
), gone AS (
    DELETE FROM device_tokens
    WHERE tenant_id = @tenant_id AND recipient_id = @recipient_id
        AND digest NOT IN (SELECT digest FROM wanted)
)
INSERT INTO device_tokens AS d (tenant_id, recipient_id, digest, token, last_seen_at)
SELECT @tenant_id, @recipient_id, digest, token,
    statement_timestamp() + place * interval '1 microsecond' FROM wanted
ON CONFLICT (tenant_id, digest) DO UPDATE
    SET recipient_id = excluded.recipient_id, last_seen_at = excluded.last_seen_at,
        created_at = CASE WHEN d.recipient_id = excluded.recipient_id THEN d.created_at
            ELSE excluded.created_at END;

-- name: register
-- To the end of this recipient's tokens, away from any other; where there are more than @most, the
-- oldest go. The recipient is made where there is none. A device that registers is alive, whatever
-- a provider said of it before.
WITH alive AS (
    DELETE FROM suppressions
    WHERE tenant_id = @tenant_id AND channel = 'push' AND address = @token AND reason = 'bounce'
), owner AS (
    INSERT INTO recipients (tenant_id, id) VALUES (@tenant_id, @recipient_id)
    ON CONFLICT (tenant_id, id) DO UPDATE SET updated_at = now()
), too_many AS (
    DELETE FROM device_tokens WHERE tenant_id = @tenant_id AND digest IN (
        SELECT digest FROM device_tokens
        WHERE tenant_id = @tenant_id AND recipient_id = @recipient_id
            AND digest <> sha256(convert_to(@token, 'UTF8'))
        ORDER BY last_seen_at DESC OFFSET @most::integer - 1)
)
INSERT INTO device_tokens AS d (tenant_id, recipient_id, digest, token, platform, last_seen_at)
VALUES (@tenant_id, @recipient_id, sha256(convert_to(@token, 'UTF8')), @token, @platform,
    statement_timestamp())
ON CONFLICT (tenant_id, digest) DO UPDATE
    SET recipient_id = excluded.recipient_id, last_seen_at = excluded.last_seen_at,
        platform = coalesce(excluded.platform, d.platform),
        created_at = CASE WHEN d.recipient_id = excluded.recipient_id THEN d.created_at
            ELSE excluded.created_at END;

-- name: forget
DELETE FROM device_tokens
WHERE tenant_id = @tenant_id AND digest = sha256(convert_to(@token, 'UTF8')) RETURNING recipient_id;

-- name: deactivate
-- A provider says that tokens are dead: those that were not registered anew since (@before) go, and
-- whoever wants to hear of it is told. Tokens of nobody that is stored are suppressed instead,
-- where @suppress says so.
WITH dead AS (
    SELECT DISTINCT sha256(convert_to(token, 'UTF8')) AS digest, token
    FROM unnest(@tokens::text[]) AS t(token)
), known AS (
    SELECT t.digest FROM device_tokens t JOIN dead USING (digest) WHERE t.tenant_id = @tenant_id
), gone AS (
    DELETE FROM device_tokens t USING dead d
    WHERE t.tenant_id = @tenant_id AND t.digest = d.digest AND t.last_seen_at <= @before
    RETURNING t.recipient_id, t.platform, left(encode(t.digest, 'hex'), 16) AS device
), suppressed AS (
    INSERT INTO suppressions (tenant_id, channel, address, reason, note)
    SELECT @tenant_id, 'push', token, 'bounce', @note FROM dead
    WHERE @suppress AND digest NOT IN (SELECT digest FROM known) AND octet_length(token) <= 2000
    ON CONFLICT DO NOTHING
), told AS (
    SELECT * FROM tell(ARRAY(SELECT @tenant_id::uuid FROM gone), ARRAY(SELECT jsonb_build_object(
        'id', gen_random_uuid(), 'type', 'device_token.deactivated', 'at', now(),
        'data', jsonb_strip_nulls(jsonb_build_object(
            'recipient_id', recipient_id, 'device', device, 'platform', platform,
            'notification_id', @notification_id::uuid)))
        FROM gone))
)
SELECT {{entries}} AS entries FROM told;
