-- Receipts: what vendors say later about messages that they had accepted.

ALTER TABLE notifications ADD COLUMN receipt jsonb;    -- {state, at, detail, provider, chain}; null: none so far

-- Providers whose vendors report nothing later.
CREATE FUNCTION is_silent(provider text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN provider IN ('console', 'sandbox', 'webhook', 'fcm', 'smtp', 'in_app');

-- A receipt finds its notification here and not in notifications: rows of attempts are only added, so a delivery pays
-- one entry, those of the silent none, and the updates of notifications stay HOT.
CREATE INDEX attempts_message ON attempts (provider_message_id)
    WHERE provider_message_id IS NOT NULL AND NOT is_silent(provider);

-- Receipts that came before the notification's own record did; kept for ten minutes.
CREATE TABLE early_receipts (
    provider     text NOT NULL,
    message_id   text NOT NULL,
    state        text NOT NULL,
    at           timestamptz NOT NULL,
    detail       text,
    address      text,
    received_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (provider, message_id, state)
);
