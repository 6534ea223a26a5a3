-- What test keys sent, kept instead of sent.

-- Messages that the sandbox provider was given: the newest of each tenant, for a week.
CREATE TABLE sandbox_messages (
    id              uuid PRIMARY KEY,
    tenant_id       uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    notification_id uuid NOT NULL,
    key             text NOT NULL,                     -- idempotency key: the same message again is the same row
    channel         text NOT NULL,
    recipient       text NOT NULL,
    recipient_id    text,
    subject         text,
    content         text NOT NULL,
    html            text,
    headers         jsonb NOT NULL DEFAULT '{}',       -- header fields of an e-mail
    payload         jsonb NOT NULL DEFAULT '{}',
    outcome         text NOT NULL,                     -- delivered, or the failure that the recipient asked for
    tries           integer NOT NULL DEFAULT 1,        -- how often it was sent
    created_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, key)
);
CREATE INDEX sandbox_messages_newest ON sandbox_messages (tenant_id, id DESC);
CREATE INDEX sandbox_messages_recipient ON sandbox_messages (tenant_id, recipient, id DESC);
SELECT isolate('sandbox_messages');
