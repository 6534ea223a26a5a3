-- name: record
INSERT INTO audit_log (actor, action, target, details) VALUES (@actor, @action, @target, @details);

-- name: list
-- Newest first; the cursor is the last id seen.
SELECT id, at, actor, action, target, details FROM audit_log
WHERE id < coalesce(@before::bigint, 9223372036854775807) ORDER BY id DESC LIMIT @limit;
