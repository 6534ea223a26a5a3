-- name: create
-- No row where the tenant has the name already.
INSERT INTO templates (id, tenant_id, name, channel, metadata, is_active)
VALUES (@id, @tenant_id, @name, @channel, @metadata, @is_active)
ON CONFLICT (tenant_id, channel, name) WHERE deleted_at IS NULL DO NOTHING
RETURNING id;

-- name: add_first
-- Version 1 of a template that this transaction has made, and the whole template. Apart from
-- `create`, because row-level security asks for a template that the statement before has stored.
WITH v AS (
    INSERT INTO template_versions (template_id, version, subject, body, html, variants)
    SELECT id, version, @subject::text, @body::text, @html::text, @variants::jsonb FROM templates
    WHERE tenant_id = @tenant_id AND id = @id
    RETURNING *
)
SELECT t.*, v.subject, v.body, v.html, v.variants FROM v JOIN templates t ON t.id = v.template_id
WHERE t.tenant_id = @tenant_id;

-- name: replace
-- The next version; no row where there is no such template, or it is not at version @expected.
WITH t AS (
    UPDATE templates
    SET version = version + 1, metadata = coalesce(@metadata::jsonb, metadata),
        is_active = coalesce(@is_active::boolean, is_active), updated_at = now()
    WHERE tenant_id = @tenant_id AND id = @id AND deleted_at IS NULL
        AND (@expected::integer IS NULL OR version = @expected)
    RETURNING *
), v AS (
    INSERT INTO template_versions (template_id, version, subject, body, html, variants)
    SELECT id, version, @subject::text, @body::text, @html::text, @variants::jsonb FROM t
    RETURNING *
)
SELECT t.*, v.subject, v.body, v.html, v.variants FROM t, v;

-- name: delete
UPDATE templates SET deleted_at = now(), updated_at = now()
WHERE tenant_id = @tenant_id AND id = @id AND deleted_at IS NULL
RETURNING id;

-- fragment: current
-- Templates with their current version.
SELECT t.*, v.subject, v.body, v.html, v.variants FROM templates t
JOIN template_versions v ON v.template_id = t.id AND v.version = t.version

-- name: get
{{current}}
WHERE t.tenant_id = @tenant_id AND t.id = @id AND t.deleted_at IS NULL;

-- name: get_by_name
{{current}}
WHERE t.tenant_id = @tenant_id AND t.channel = @channel AND t.name = @name AND t.deleted_at IS NULL;

-- name: list
{{current}}
WHERE t.tenant_id = @tenant_id AND (@before::uuid IS NULL OR t.id < @before)
    AND (@channel::text IS NULL OR t.channel = @channel)
    AND (@name::text IS NULL OR t.name = @name) AND t.deleted_at IS NULL
ORDER BY t.id DESC LIMIT @limit;

-- name: versions
-- Newest first.
SELECT v.version, v.subject, v.body, v.html, v.variants, v.created_at
FROM template_versions v JOIN templates t ON t.id = v.template_id
WHERE t.tenant_id = @tenant_id AND t.id = @id AND t.deleted_at IS NULL
    AND (@before::integer IS NULL OR v.version < @before)
ORDER BY v.version DESC LIMIT @limit;

-- name: version
-- Of a deleted template too: what was accepted with it keeps it.
SELECT subject, body, html, variants FROM template_versions
WHERE template_id = @id AND version = @version;

-- name: find
-- Of any tenant: for operators.
{{current}}
WHERE t.id = @id AND t.deleted_at IS NULL;

-- name: list_of_all
-- As list, of every tenant: for operators.
{{current}}
WHERE (@before::uuid IS NULL OR t.id < @before) AND (@channel::text IS NULL OR t.channel = @channel)
    AND (@name::text IS NULL OR t.name = @name) AND t.deleted_at IS NULL
ORDER BY t.id DESC LIMIT @limit;
