DROP FUNCTION devices_of(boolean, uuid, text, text);
DROP FUNCTION suppressions_of(uuid, text, text, text);
DROP FUNCTION address_of(text, text, text, text, text);
DROP FUNCTION erased_address(uuid, text);
ALTER TABLE notifications DROP COLUMN erased;
DELETE FROM suppressions WHERE category <> '';
ALTER TABLE suppressions DROP COLUMN category, ADD PRIMARY KEY (tenant_id, channel, address);
ALTER TABLE recipients ADD COLUMN push_tokens text[] NOT NULL DEFAULT '{}';
UPDATE recipients r SET push_tokens = d.tokens
FROM (SELECT tenant_id, recipient_id, array_agg(token ORDER BY last_seen_at) AS tokens FROM device_tokens GROUP BY 1, 2) d
WHERE d.tenant_id = r.tenant_id AND d.recipient_id = r.id;
CREATE FUNCTION addresses_of(recipient text, recipient_id text, email text, phone text, push_tokens text[])
    RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN recipient IS NOT NULL THEN ARRAY[recipient, lower(recipient)]
        ELSE ARRAY[lower(email), phone, recipient_id, push_tokens[cardinality(push_tokens)]] END;
DROP TABLE device_tokens;
