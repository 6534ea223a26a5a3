-- name: put
-- E-mail addresses are kept in lower case, made by PostgreSQL, as a claim makes it to compare.
INSERT INTO suppressions AS s (tenant_id, channel, address, category, reason, note)
VALUES ($1, $2, CASE $2::text WHEN 'email' THEN lower($3::text) ELSE $3 END, $4, $5, $6)
ON CONFLICT (tenant_id, channel, address, category) DO UPDATE SET reason = excluded.reason, note = excluded.note
RETURNING channel, address, category, reason, note, created_at, s.xmax = 0 AS created;

-- name: add
-- As `put`, but what is on the list already stays as it is.
INSERT INTO suppressions (tenant_id, channel, address, category, reason, note)
VALUES ($1, $2, CASE $2::text WHEN 'email' THEN lower($3::text) ELSE $3 END, $4, $5, $6)
ON CONFLICT DO NOTHING;

-- name: remove
-- Also what an erased recipient left of this address.
WITH wanted AS (
    SELECT CASE $2::text WHEN 'email' THEN lower($3::text) ELSE $3 END AS address
)
DELETE FROM suppressions s USING wanted w
WHERE s.tenant_id = $1 AND s.channel = $2 AND s.category = $4 AND s.address IN (w.address, erased_address($1, w.address))
RETURNING s.address;

-- name: list
-- By channel, address and category; the filters are optional, the cursor is the last row seen.
SELECT channel, address, category, reason, note, created_at FROM suppressions
WHERE tenant_id = $1
    AND ($2::text IS NULL OR (channel, address, category) > ($2, $3::text, $4::text))
    AND ($5::text IS NULL OR channel = $5)
    AND ($6::text IS NULL OR address IN (CASE channel WHEN 'email' THEN lower($6) ELSE $6 END,
        erased_address($1, CASE channel WHEN 'email' THEN lower($6) ELSE $6 END)))
    AND ($7::text IS NULL OR category = $7)
ORDER BY channel, address, category LIMIT $8;

-- name: of_addresses
-- Of the addresses $3 of the channels $2, each written as `put` writes it.
SELECT s.channel, s.address, s.category, s.reason, s.note, s.created_at
FROM (
    SELECT channel, CASE channel WHEN 'email' THEN lower(address) ELSE address END AS address
    FROM unnest($2::text[], $3::text[]) AS given(channel, address)
) m
JOIN suppressions s ON s.tenant_id = $1 AND s.channel = m.channel
    AND s.address IN (m.address, erased_address($1, m.address))
ORDER BY s.channel, s.address, s.category;
