-- name: put
-- Creates or replaces; push tokens that are not given stay as they are.
INSERT INTO recipients AS r (tenant_id, id, email, phone, push_tokens, timezone, locale)
VALUES ($1, $2, $3, $4, coalesce($5::text[], '{}'), $6, $7)
ON CONFLICT (tenant_id, id) DO UPDATE
    SET email = excluded.email, phone = excluded.phone, push_tokens = coalesce($5, r.push_tokens),
        timezone = excluded.timezone, locale = excluded.locale, updated_at = now()
RETURNING r.*, r.xmax = 0 AS created;

-- name: get
SELECT * FROM recipients WHERE tenant_id = $1 AND id = $2;

-- name: list
SELECT * FROM recipients WHERE tenant_id = $1 AND ($2::text IS NULL OR id > $2) ORDER BY id LIMIT $3;

-- name: put_timezone
INSERT INTO recipients (tenant_id, id, timezone) VALUES ($1, $2, $3)
ON CONFLICT (tenant_id, id) DO UPDATE SET timezone = excluded.timezone, updated_at = now();

-- name: lock_tokens
-- One registration of a tenant at a time, until the end of the transaction: two may want to move the same token.
SELECT pg_advisory_xact_lock(hashtextextended('device tokens ' || $1::uuid, 0));

-- name: register_token
-- To the end of this recipient's tokens, away from any other; where there are more than $4, the oldest go.
WITH moved AS (
    UPDATE recipients SET push_tokens = array_remove(push_tokens, $3), updated_at = now()
    WHERE tenant_id = $1 AND id <> $2 AND push_tokens @> ARRAY[$3::text]
)
INSERT INTO recipients AS r (tenant_id, id, push_tokens) VALUES ($1, $2, ARRAY[$3])
ON CONFLICT (tenant_id, id) DO UPDATE
    SET push_tokens = (array_remove(r.push_tokens, $3) || $3)[
            greatest(cardinality(array_remove(r.push_tokens, $3)) + 2 - $4::integer, 1):], updated_at = now()
RETURNING r.*;

-- name: forget_token
UPDATE recipients SET push_tokens = array_remove(push_tokens, $2), updated_at = now()
WHERE tenant_id = $1 AND push_tokens @> ARRAY[$2::text]
RETURNING id;
