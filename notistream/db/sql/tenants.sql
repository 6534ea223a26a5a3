-- name: create
INSERT INTO tenants (id, name) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING RETURNING id, name, created_at;

-- name: get_by_name
SELECT id, name, created_at FROM tenants WHERE name = $1;

-- name: list
SELECT id, name, created_at FROM tenants ORDER BY id;

-- name: issue_key
INSERT INTO api_keys (id, tenant_id, name, kind, prefix, hash) VALUES ($1, $2, $3, $4, $5, $6)
RETURNING id, tenant_id, name, kind, prefix, created_at;

-- name: find_key
SELECT id, tenant_id, kind, hash FROM api_keys WHERE prefix = $1 AND revoked_at IS NULL;

-- name: revoke_key
UPDATE api_keys SET revoked_at = now() WHERE prefix = $1 AND revoked_at IS NULL RETURNING id;
