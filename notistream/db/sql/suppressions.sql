-- name: put
-- E-mail addresses are kept in lower case, made by PostgreSQL, as a claim makes it to compare.
INSERT INTO suppressions AS s (tenant_id, channel, address, reason, note)
VALUES ($1, $2, CASE $2::text WHEN 'email' THEN lower($3::text) ELSE $3 END, $4, $5)
ON CONFLICT (tenant_id, channel, address) DO UPDATE SET reason = excluded.reason, note = excluded.note
RETURNING channel, address, reason, note, created_at, s.xmax = 0 AS created;

-- name: remove
DELETE FROM suppressions
WHERE tenant_id = $1 AND channel = $2 AND address = CASE $2::text WHEN 'email' THEN lower($3::text) ELSE $3 END
RETURNING address;

-- name: list
-- By channel and address; both filters are optional, the cursor is the last pair seen.
SELECT channel, address, reason, note, created_at FROM suppressions
WHERE tenant_id = $1
    AND ($2::text IS NULL OR (channel, address) > ($2, $3::text))
    AND ($4::text IS NULL OR channel = $4)
    AND ($5::text IS NULL OR address = CASE channel WHEN 'email' THEN lower($5) ELSE $5 END)
ORDER BY channel, address LIMIT $6;
