-- name: begin
-- Takes the key, or takes over one whose request was never answered; otherwise no row.
INSERT INTO idempotent_requests AS r (tenant_id, route, key, body_hash, locked_until, expires_at)
VALUES ($1, $2, $3, $4, now() + interval '60 seconds', now() + $5::interval)
ON CONFLICT (tenant_id, route, key) DO UPDATE
    SET body_hash = excluded.body_hash, locked_until = excluded.locked_until, expires_at = excluded.expires_at,
        status = NULL, headers = NULL, body = NULL
    WHERE r.expires_at <= now() OR (r.status IS NULL AND r.locked_until <= now() AND r.body_hash = excluded.body_hash)
RETURNING key;

-- name: find
SELECT body_hash, status, headers, body FROM idempotent_requests WHERE tenant_id = $1 AND route = $2 AND key = $3;

-- name: complete
UPDATE idempotent_requests SET status = $4, headers = $5, body = $6 WHERE tenant_id = $1 AND route = $2 AND key = $3;

-- name: abandon
DELETE FROM idempotent_requests WHERE tenant_id = $1 AND route = $2 AND key = $3 AND status IS NULL;

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
