-- name: create
INSERT INTO tenants (id, name) VALUES (@id, @name) ON CONFLICT (name) DO NOTHING
RETURNING id, name, created_at;

-- name: get
SELECT id, name, created_at FROM tenants WHERE id = @id;

-- name: get_by_name
SELECT id, name, created_at FROM tenants WHERE name = @name;

-- name: list
SELECT id, name, created_at FROM tenants ORDER BY id;

-- name: list_page
-- Newest first; the cursor is the last id seen.
SELECT id, name, created_at FROM tenants
WHERE (@before::uuid IS NULL OR id < @before) ORDER BY id DESC LIMIT @limit;

-- name: issue_key
INSERT INTO api_keys (id, tenant_id, name, kind, prefix, hash, expires_at)
VALUES (@id, @tenant_id, @name, @kind, @prefix, @hash, @expires_at)
RETURNING *;

-- name: find_key
-- The key with this prefix, while it works; null: it never ends.
SELECT id, tenant_id, kind, hash,
    extract(epoch FROM expires_at - now())::double precision AS ends_in
FROM api_keys
WHERE prefix = @prefix AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now());

-- name: list_keys
-- Newest first; the cursor is the last id seen.
SELECT * FROM api_keys
WHERE tenant_id = @tenant_id AND (@before::uuid IS NULL OR id < @before)
ORDER BY id DESC LIMIT @limit;

-- name: lock_key
-- By id or prefix, of any tenant where @tenant_id is null.
SELECT *, revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now()) AS works FROM api_keys
WHERE (@tenant_id::uuid IS NULL OR tenant_id = @tenant_id)
    AND (id = @id OR prefix = @prefix)
FOR UPDATE;

-- name: revoke_key
UPDATE api_keys SET revoked_at = now() WHERE id = @id AND revoked_at IS NULL RETURNING id;

-- name: replace_key
-- The old key ends after the overlap, or when it would have ended anyway.
UPDATE api_keys
SET replaced_by = @replaced_by, expires_at = least(expires_at, now() + @overlap::interval)
WHERE id = @id
RETURNING *;

-- name: note_use
-- Seconds since each key was last used, by all processes: one write of a row in half a minute is
-- enough.
UPDATE api_keys k SET last_used_at = now() - make_interval(secs => u.ago)
FROM @uses::records AS u(id uuid, ago double precision)
WHERE k.id = u.id AND (k.last_used_at IS NULL
    OR k.last_used_at < now() - make_interval(secs => u.ago + 30));
