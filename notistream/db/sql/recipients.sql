-- name: put
-- Creates or replaces; with their device tokens, see `device_tokens.replace`.
INSERT INTO recipients AS r (tenant_id, id, email, phone, timezone, locale)
VALUES (@tenant_id, @id, @email, @phone, @timezone, @locale)
ON CONFLICT (tenant_id, id) DO UPDATE
    SET email = excluded.email, phone = excluded.phone, timezone = excluded.timezone,
        locale = excluded.locale, updated_at = now()
RETURNING r.xmax = 0 AS created;

-- fragment: of_tenant
-- Recipients of a tenant, with their device tokens, oldest first.
SELECT r.*, ARRAY(
    SELECT token FROM device_tokens d WHERE d.tenant_id = r.tenant_id AND d.recipient_id = r.id
    ORDER BY d.last_seen_at) AS push_tokens
FROM recipients r WHERE r.tenant_id = @tenant_id

-- name: get
{{of_tenant}} AND r.id = @id;

-- name: list
{{of_tenant}} AND r.id > coalesce(@after::text, '') ORDER BY r.id LIMIT @limit;

-- name: list_from
{{of_tenant}} AND r.id >= @first ORDER BY r.id LIMIT @limit;

-- name: put_timezone
INSERT INTO recipients (tenant_id, id, timezone) VALUES (@tenant_id, @id, @timezone)
ON CONFLICT (tenant_id, id) DO UPDATE SET timezone = excluded.timezone, updated_at = now();
