-- name: get
SELECT channels, categories FROM preferences
WHERE tenant_id = @tenant_id AND recipient_id = @recipient_id;

-- name: put
INSERT INTO preferences (tenant_id, recipient_id, channels, categories)
VALUES (@tenant_id, @recipient_id, @channels, @categories)
ON CONFLICT (tenant_id, recipient_id) DO UPDATE
    SET channels = excluded.channels, categories = excluded.categories, updated_at = now()
RETURNING channels, categories;

-- name: put_channels
-- Replaces what is said of these channels, and leaves the rest.
INSERT INTO preferences AS p (tenant_id, recipient_id, channels)
VALUES (@tenant_id, @recipient_id, @channels)
ON CONFLICT (tenant_id, recipient_id) DO UPDATE
    SET channels = p.channels || excluded.channels, updated_at = now()
RETURNING channels, categories;

-- name: turn_category_off
INSERT INTO preferences AS p (tenant_id, recipient_id, categories)
VALUES (@tenant_id, @recipient_id, jsonb_build_object(@category::text, false))
ON CONFLICT (tenant_id, recipient_id) DO UPDATE
    SET categories = p.categories || excluded.categories, updated_at = now();

-- name: drop_channel
UPDATE preferences SET channels = channels - @channel::text, updated_at = now()
WHERE tenant_id = @tenant_id AND recipient_id = @recipient_id AND channels ? @channel
RETURNING recipient_id;
