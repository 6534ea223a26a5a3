-- name: get
SELECT channels, categories FROM preferences WHERE tenant_id = $1 AND recipient_id = $2;

-- name: put
INSERT INTO preferences (tenant_id, recipient_id, channels, categories) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant_id, recipient_id) DO UPDATE
    SET channels = excluded.channels, categories = excluded.categories, updated_at = now()
RETURNING channels, categories;

-- name: put_channels
-- Replaces what is said of these channels, and leaves the rest.
INSERT INTO preferences AS p (tenant_id, recipient_id, channels) VALUES ($1, $2, $3)
ON CONFLICT (tenant_id, recipient_id) DO UPDATE SET channels = p.channels || excluded.channels, updated_at = now()
RETURNING channels, categories;

-- name: turn_category_off
INSERT INTO preferences AS p (tenant_id, recipient_id, categories) VALUES ($1, $2, jsonb_build_object($3::text, false))
ON CONFLICT (tenant_id, recipient_id) DO UPDATE
    SET categories = p.categories || excluded.categories, updated_at = now();

-- name: drop_channel
UPDATE preferences SET channels = channels - $3::text, updated_at = now()
WHERE tenant_id = $1 AND recipient_id = $2 AND channels ? $3
RETURNING recipient_id;
