-- name: begin
-- Takes the key, or takes over one whose request was never answered; otherwise no row.
INSERT INTO idempotent_requests AS r (tenant_id, route, key, body_hash, locked_until, expires_at)
VALUES (@tenant_id, @route, @key, @body_hash, now() + interval '60 seconds',
    now() + @window::interval)
ON CONFLICT (tenant_id, route, key) DO UPDATE
    SET body_hash = excluded.body_hash, locked_until = excluded.locked_until,
        expires_at = excluded.expires_at,
        status = NULL, headers = NULL, body = NULL
    WHERE r.expires_at <= now()
        OR (r.status IS NULL AND r.locked_until <= now() AND r.body_hash = excluded.body_hash)
RETURNING key;

-- name: find
SELECT body_hash, status, headers, body FROM idempotent_requests
WHERE tenant_id = @tenant_id AND route = @route AND key = @key;

-- name: complete
UPDATE idempotent_requests SET status = @status, headers = @headers, body = @body
WHERE tenant_id = @tenant_id AND route = @route AND key = @key;

-- name: abandon
DELETE FROM idempotent_requests
WHERE tenant_id = @tenant_id AND route = @route AND key = @key AND status IS NULL;

-- name: forget_expired
-- Some at a time; what another worker or a create holds is left for the next round.
WITH requests AS (
    DELETE FROM idempotent_requests r USING (
        SELECT tenant_id, route, key FROM idempotent_requests WHERE expires_at <= now()
        LIMIT 1000 FOR UPDATE SKIP LOCKED) old
    WHERE (r.tenant_id, r.route, r.key) = (old.tenant_id, old.route, old.key) RETURNING 1
), keys AS (
    DELETE FROM idempotency_keys k USING (
        SELECT tenant_id, key FROM idempotency_keys WHERE expires_at <= now()
        LIMIT 1000 FOR UPDATE SKIP LOCKED) old
    WHERE (k.tenant_id, k.key) = (old.tenant_id, old.key) RETURNING 1
)
SELECT (SELECT count(*) FROM requests) + (SELECT count(*) FROM keys) AS count;
