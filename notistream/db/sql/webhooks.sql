-- name: lock_tenant
-- One new endpoint of a tenant at a time, until the end of the transaction: they are counted.
SELECT pg_advisory_xact_lock(hashtextextended('webhooks ' || $1::uuid, 0));

-- name: create
INSERT INTO webhook_endpoints (id, tenant_id, url, description, events, is_active, secret)
SELECT $2::uuid, $1::uuid, $3::text, $4::text, $5::text[], $6::boolean, $7::text
WHERE (SELECT count(*) FROM webhook_endpoints WHERE tenant_id = $1) < $8::integer
RETURNING *;

-- name: list
SELECT * FROM webhook_endpoints WHERE tenant_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3;

-- name: get
SELECT * FROM webhook_endpoints WHERE tenant_id = $1 AND id = $2;

-- name: replace
-- What a worker said of an endpoint that it switched off is forgotten when it is switched on.
UPDATE webhook_endpoints
SET url = $3, description = $4, events = $5, is_active = $6, updated_at = now(),
    disabled_at = CASE WHEN $6 THEN NULL ELSE disabled_at END,
    disabled_reason = CASE WHEN $6 THEN NULL ELSE disabled_reason END,
    failing_since = CASE WHEN $6 AND (url <> $3 OR NOT is_active) THEN NULL ELSE failing_since END
WHERE tenant_id = $1 AND id = $2
RETURNING *;

-- name: switch
-- As `replace`: what a worker said of an endpoint that it switched off is forgotten when it is switched on.
UPDATE webhook_endpoints
SET is_active = $3, updated_at = now(), disabled_at = CASE WHEN $3 THEN NULL ELSE disabled_at END,
    disabled_reason = CASE WHEN $3 THEN NULL ELSE disabled_reason END,
    failing_since = CASE WHEN $3 THEN NULL ELSE failing_since END
WHERE tenant_id = $1 AND id = $2 AND is_active <> $3
RETURNING id;

-- name: rotate
UPDATE webhook_endpoints SET old_secret = secret, old_secret_until = now() + $4::interval, secret = $3, updated_at = now()
WHERE tenant_id = $1 AND id = $2
RETURNING *;

-- name: delete
DELETE FROM webhook_endpoints WHERE tenant_id = $1 AND id = $2 RETURNING id;

-- name: disable
-- Only while what was decided on still holds: $3 is since when it has been failing, null for an answer that is enough.
UPDATE webhook_endpoints SET is_active = false, disabled_at = now(), disabled_reason = $2, updated_at = now()
WHERE id = $1 AND is_active AND ($3::timestamptz IS NULL OR failing_since = $3)
RETURNING tenant_id;
