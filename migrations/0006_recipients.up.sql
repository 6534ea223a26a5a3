-- Device tokens in a table of their own, suppressions of one category, and what erasing a recipient leaves behind.

CREATE TABLE device_tokens (
    tenant_id     uuid NOT NULL,
    recipient_id  text NOT NULL,
    digest        bytea NOT NULL,                      -- SHA-256 of the token, which may be too long for an index
    token         text NOT NULL,
    platform      text,
    created_at    timestamptz NOT NULL DEFAULT now(),
    last_seen_at  timestamptz NOT NULL DEFAULT now(),  -- when it was registered last; their order
    PRIMARY KEY (tenant_id, digest),
    FOREIGN KEY (tenant_id, recipient_id) REFERENCES recipients ON DELETE CASCADE
);
CREATE INDEX device_tokens_recipient ON device_tokens (tenant_id, recipient_id, last_seen_at);
SELECT isolate('device_tokens');

-- A token that two recipients had is that of the one who was changed last; so it was delivered to.
INSERT INTO device_tokens (tenant_id, recipient_id, digest, token, created_at, last_seen_at)
SELECT DISTINCT ON (r.tenant_id, t.token) r.tenant_id, r.id, sha256(convert_to(t.token, 'UTF8')), t.token, r.created_at,
    r.updated_at + t.place * interval '1 microsecond'
FROM recipients r, unnest(r.push_tokens) WITH ORDINALITY AS t(token, place)
ORDER BY r.tenant_id, t.token, r.updated_at DESC, t.place DESC;

DROP FUNCTION addresses_of(text, text, text, text, text[]);
ALTER TABLE recipients DROP COLUMN push_tokens;

ALTER TABLE suppressions
    ADD COLUMN category text NOT NULL DEFAULT '',      -- only messages of this category; '': all
    DROP CONSTRAINT suppressions_pkey,
    ADD PRIMARY KEY (tenant_id, channel, address, category);

ALTER TABLE notifications ADD COLUMN erased boolean NOT NULL DEFAULT false;  -- its recipient was: no text comes back

-- What a suppression keeps of the address of an erased recipient: enough to know it again, not to read it.
CREATE FUNCTION erased_address(tenant uuid, address text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN 'sha256:' || encode(sha256(convert_to(tenant::text || ':' || address, 'UTF8')), 'hex');

-- The one address that a message goes to, as a suppression writes it; null for a push message to a stored recipient,
-- who may have several.
CREATE FUNCTION address_of(channel text, recipient text, recipient_id text, email text, phone text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE channel
        WHEN 'email' THEN lower(coalesce(recipient, email))
        WHEN 'sms' THEN coalesce(recipient, phone)
        WHEN 'in_app' THEN coalesce(recipient, recipient_id)
        ELSE recipient END;

-- Why a message must not go to an address; the planner unfolds this function where it is used, and the next.
CREATE FUNCTION suppressions_of(tenant uuid, of_channel text, of_category text, of_address text)
    RETURNS TABLE (why text)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT s.reason FROM suppressions s
    WHERE s.tenant_id = tenant AND s.channel = of_channel AND s.address IN (of_address, erased_address(tenant, of_address))
        AND s.category IN ('', of_category);
END;

-- The device tokens of a stored recipient that a push message may go to, oldest first, and why it may not go to others.
-- Only where `wanted`, so that no other message pays for it.
CREATE FUNCTION devices_of(wanted boolean, tenant uuid, of_recipient text, of_category text)
    RETURNS TABLE (tokens text[], suppressed text)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT array_agg(d.token ORDER BY d.last_seen_at) FILTER (WHERE s.why IS NULL), min(s.why)
    FROM device_tokens d
    LEFT JOIN LATERAL (SELECT min(o.why) AS why FROM suppressions_of(tenant, 'push', of_category, d.token) o) s ON true
    WHERE wanted AND d.tenant_id = tenant AND d.recipient_id = of_recipient;
END;
