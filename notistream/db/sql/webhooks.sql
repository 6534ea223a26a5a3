-- name: lock_tenant
-- One new endpoint of a tenant at a time, until the end of the transaction: they are counted.
SELECT pg_advisory_xact_lock(hashtextextended('webhooks ' || @tenant_id::uuid, 0));

-- name: create
INSERT INTO webhook_endpoints (id, tenant_id, url, description, events, is_active, secret)
SELECT @id::uuid, @tenant_id::uuid, @url::text, @description::text, @events::text[],
    @is_active::boolean, @secret::text
WHERE (SELECT count(*) FROM webhook_endpoints WHERE tenant_id = @tenant_id) < @most::integer
RETURNING *;

-- name: list
SELECT * FROM webhook_endpoints
WHERE tenant_id = @tenant_id AND (@before::uuid IS NULL OR id < @before)
ORDER BY id DESC LIMIT @limit;

-- name: get
SELECT * FROM webhook_endpoints WHERE tenant_id = @tenant_id AND id = @id;

-- name: replace
-- What a worker said of an endpoint that it switched off is forgotten when it is switched on.
UPDATE webhook_endpoints
SET url = @url, description = @description, events = @events, is_active = @is_active,
    updated_at = now(), disabled_at = CASE WHEN @is_active THEN NULL ELSE disabled_at END,
    disabled_reason = CASE WHEN @is_active THEN NULL ELSE disabled_reason END,
    failing_since = CASE WHEN @is_active AND (url <> @url OR NOT is_active) THEN NULL
        ELSE failing_since END
WHERE tenant_id = @tenant_id AND id = @id
RETURNING *;

-- name: switch
-- As `replace`: what a worker said of an endpoint that it switched off is forgotten when it is
-- switched on.
UPDATE webhook_endpoints
SET is_active = @is_active, updated_at = now(),
    disabled_at = CASE WHEN @is_active THEN NULL ELSE disabled_at END,
    disabled_reason = CASE WHEN @is_active THEN NULL ELSE disabled_reason END,
    failing_since = CASE WHEN @is_active THEN NULL ELSE failing_since END
WHERE tenant_id = @tenant_id AND id = @id AND is_active <> @is_active
RETURNING id;

-- name: rotate
UPDATE webhook_endpoints
SET old_secret = secret, old_secret_until = now() + @overlap::interval, secret = @secret,
    updated_at = now()
WHERE tenant_id = @tenant_id AND id = @id
RETURNING *;

-- name: delete
DELETE FROM webhook_endpoints WHERE tenant_id = @tenant_id AND id = @id RETURNING id;

-- name: disable
-- Only while what was decided on still holds: @failing_since is since when it has been failing,
-- null for an answer that is enough.
UPDATE webhook_endpoints
SET is_active = false, disabled_at = now(), disabled_reason = @reason, updated_at = now()
WHERE id = @id AND is_active
    AND (@failing_since::timestamptz IS NULL OR failing_since = @failing_since)
RETURNING tenant_id;
