-- name: create
-- No row where the tenant has the name already.
INSERT INTO templates (id, tenant_id, name, channel, metadata, is_active) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (tenant_id, channel, name) WHERE deleted_at IS NULL DO NOTHING
RETURNING id;

-- name: add_first
-- Version 1 of a template that this transaction has made, and the whole template. Apart from `create`, because row-level
-- security asks for a template that the statement before has stored.
WITH v AS (
    INSERT INTO template_versions (template_id, version, subject, body, html, variants)
    SELECT id, version, $3::text, $4::text, $5::text, $6::jsonb FROM templates WHERE tenant_id = $1 AND id = $2
    RETURNING *
)
SELECT t.*, v.subject, v.body, v.html, v.variants FROM v JOIN templates t ON t.id = v.template_id WHERE t.tenant_id = $1;

-- name: replace
-- The next version; no row where there is no such template, or it is not at version $3.
WITH t AS (
    UPDATE templates
    SET version = version + 1, metadata = coalesce($8::jsonb, metadata), is_active = coalesce($9::boolean, is_active),
        updated_at = now()
    WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL AND ($3::integer IS NULL OR version = $3)
    RETURNING *
), v AS (
    INSERT INTO template_versions (template_id, version, subject, body, html, variants)
    SELECT id, version, $4::text, $5::text, $6::text, $7::jsonb FROM t
    RETURNING *
)
SELECT t.*, v.subject, v.body, v.html, v.variants FROM t, v;

-- name: delete
UPDATE templates SET deleted_at = now(), updated_at = now()
WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL
RETURNING id;

-- name: get
SELECT t.*, v.subject, v.body, v.html, v.variants FROM templates t
JOIN template_versions v ON v.template_id = t.id AND v.version = t.version
WHERE t.tenant_id = $1 AND t.id = $2 AND t.deleted_at IS NULL;

-- name: get_by_name
SELECT t.*, v.subject, v.body, v.html, v.variants FROM templates t
JOIN template_versions v ON v.template_id = t.id AND v.version = t.version
WHERE t.tenant_id = $1 AND t.channel = $2 AND t.name = $3 AND t.deleted_at IS NULL;

-- name: list
SELECT t.*, v.subject, v.body, v.html, v.variants FROM templates t
JOIN template_versions v ON v.template_id = t.id AND v.version = t.version
WHERE t.tenant_id = $1 AND ($2::uuid IS NULL OR t.id < $2) AND ($3::text IS NULL OR t.channel = $3)
    AND ($4::text IS NULL OR t.name = $4) AND t.deleted_at IS NULL
ORDER BY t.id DESC LIMIT $5;

-- name: versions
-- Newest first.
SELECT v.version, v.subject, v.body, v.html, v.variants, v.created_at
FROM template_versions v JOIN templates t ON t.id = v.template_id
WHERE t.tenant_id = $1 AND t.id = $2 AND t.deleted_at IS NULL AND ($3::integer IS NULL OR v.version < $3)
ORDER BY v.version DESC LIMIT $4;

-- name: version
-- Of a deleted template too: what was accepted with it keeps it.
SELECT subject, body, html, variants FROM template_versions WHERE template_id = $1 AND version = $2;

-- name: find
-- Whosever it is: for operators.
SELECT t.*, v.subject, v.body, v.html, v.variants FROM templates t
JOIN template_versions v ON v.template_id = t.id AND v.version = t.version
WHERE t.id = $1 AND t.deleted_at IS NULL;

-- name: list_of_all
-- As list, of every tenant: for operators.
SELECT t.*, v.subject, v.body, v.html, v.variants FROM templates t
JOIN template_versions v ON v.template_id = t.id AND v.version = t.version
WHERE ($1::uuid IS NULL OR t.id < $1) AND ($2::text IS NULL OR t.channel = $2) AND ($3::text IS NULL OR t.name = $3)
    AND t.deleted_at IS NULL
ORDER BY t.id DESC LIMIT $4;
