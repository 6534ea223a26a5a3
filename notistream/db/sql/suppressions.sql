-- fragment: address
-- An address as the list keeps it: e-mail in lower case, made by PostgreSQL, as a claim makes it.
CASE @channel::text WHEN 'email' THEN lower(@address::text) ELSE @address END

-- name: put
-- Says too whether the address is new on the list.
INSERT INTO suppressions AS s (tenant_id, channel, address, category, reason, note)
VALUES (@tenant_id, @channel, {{address}}, @category, @reason, @note)
ON CONFLICT (tenant_id, channel, address, category) DO UPDATE
    SET reason = excluded.reason, note = excluded.note
RETURNING channel, address, category, reason, note, created_at, s.xmax = 0 AS created;

-- name: add
-- As `put`, but what is on the list already stays as it is.
INSERT INTO suppressions (tenant_id, channel, address, category, reason, note)
VALUES (@tenant_id, @channel, {{address}}, @category, @reason, @note)
ON CONFLICT DO NOTHING;

-- name: remove
-- Also what an erased recipient left of this address.
WITH wanted AS (
    SELECT {{address}} AS address
)
DELETE FROM suppressions s USING wanted w
WHERE s.tenant_id = @tenant_id AND s.channel = @channel AND s.category = @category
    AND s.address IN (w.address, erased_address(@tenant_id, w.address))
RETURNING s.address;

-- fragment: listed_address
-- The same for the channel of a row.
CASE channel WHEN 'email' THEN lower(@address) ELSE @address END

-- name: list
-- By channel, address and category; the filters are optional, the cursor is the last row seen.
SELECT channel, address, category, reason, note, created_at FROM suppressions
WHERE tenant_id = @tenant_id
    AND (@after_channel::text IS NULL
        OR (channel, address, category)
            > (@after_channel, @after_address::text, @after_category::text))
    AND (@channel::text IS NULL OR channel = @channel)
    AND (@address::text IS NULL OR address IN ({{listed_address}},
        erased_address(@tenant_id, {{listed_address}})))
    AND (@category::text IS NULL OR category = @category)
ORDER BY channel, address, category LIMIT @limit;

-- name: of_addresses
-- Entries of these addresses, each written as `put` writes it.
SELECT s.channel, s.address, s.category, s.reason, s.note, s.created_at
FROM (
    SELECT channel, CASE channel WHEN 'email' THEN lower(address) ELSE address END AS address
    FROM @addresses::records AS given(channel text, address text)
) m
JOIN suppressions s ON s.tenant_id = @tenant_id AND s.channel = m.channel
    AND s.address IN (m.address, erased_address(@tenant_id, m.address))
ORDER BY s.channel, s.address, s.category;
