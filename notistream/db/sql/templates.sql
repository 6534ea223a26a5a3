-- name: create
-- One template and its first version; no row where the tenant has the name already.
WITH t AS (
    INSERT INTO templates (id, tenant_id, name, channel, metadata, is_active) VALUES ($1, $2, $3, $4, $7, $8)
    ON CONFLICT (tenant_id, channel, name) DO NOTHING
    RETURNING *
), v AS (
    INSERT INTO template_versions (template_id, version, subject, body)
    SELECT id, version, $5::text, $6::text FROM t
    RETURNING subject, body
)
SELECT t.*, v.subject, v.body FROM t, v;

-- name: get
SELECT t.*, v.subject, v.body FROM templates t
JOIN template_versions v ON v.template_id = t.id AND v.version = t.version
WHERE t.tenant_id = $1 AND t.id = $2;

-- name: get_by_name
SELECT t.*, v.subject, v.body FROM templates t
JOIN template_versions v ON v.template_id = t.id AND v.version = t.version
WHERE t.tenant_id = $1 AND t.channel = $2 AND t.name = $3;

-- name: list
SELECT t.*, v.subject, v.body FROM templates t
JOIN template_versions v ON v.template_id = t.id AND v.version = t.version
WHERE t.tenant_id = $1 AND ($2::uuid IS NULL OR t.id < $2) AND ($3::text IS NULL OR t.channel = $3)
    AND ($4::text IS NULL OR t.name = $4)
ORDER BY t.id DESC LIMIT $5;

-- name: version
SELECT subject, body FROM template_versions WHERE template_id = $1 AND version = $2;
