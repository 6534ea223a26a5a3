-- name: create
INSERT INTO tenants (id, name) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING RETURNING id, name, created_at;

-- name: get
SELECT id, name, created_at FROM tenants WHERE id = $1;

-- name: get_by_name
SELECT id, name, created_at FROM tenants WHERE name = $1;

-- name: list
SELECT id, name, created_at FROM tenants ORDER BY id;

-- name: list_page
-- Newest first; the cursor is the last id seen.
SELECT id, name, created_at FROM tenants WHERE ($1::uuid IS NULL OR id < $1) ORDER BY id DESC LIMIT $2;

-- name: issue_key
INSERT INTO api_keys (id, tenant_id, name, kind, prefix, hash, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
RETURNING *;

-- name: find_key
-- The key with this prefix, while it works; null seconds: for ever.
SELECT id, tenant_id, kind, hash, extract(epoch FROM expires_at - now())::double precision AS ends_in
FROM api_keys WHERE prefix = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now());

-- name: list_keys
-- Newest first; the cursor is the last id seen.
SELECT * FROM api_keys WHERE tenant_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3;

-- name: lock_key
-- By id or prefix, of any tenant where $1 is null.
SELECT *, revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now()) AS works FROM api_keys
WHERE ($1::uuid IS NULL OR tenant_id = $1) AND (id = $2 OR prefix = $3) FOR UPDATE;

-- name: revoke_key
UPDATE api_keys SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL RETURNING id;

-- name: replace_key
-- The old key ends after the overlap, or when it would have ended anyway.
UPDATE api_keys SET replaced_by = $2, expires_at = least(expires_at, now() + $3::interval) WHERE id = $1
RETURNING *;

-- name: note_use
-- Seconds since each key was last used, by all processes: one write of a row in half a minute is enough.
UPDATE api_keys k SET last_used_at = now() - make_interval(secs => u.ago)
FROM unnest($1::uuid[], $2::double precision[]) AS u(id, ago)
WHERE k.id = u.id AND (k.last_used_at IS NULL OR k.last_used_at < now() - make_interval(secs => u.ago + 30));
