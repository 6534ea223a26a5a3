-- name: record
INSERT INTO audit_log (actor, action, target, details) VALUES ($1, $2, $3, $4);

-- name: list
-- Newest first; the cursor is the last id seen.
SELECT id, at, actor, action, target, details FROM audit_log
WHERE id < coalesce($1::bigint, 9223372036854775807) ORDER BY id DESC LIMIT $2;
