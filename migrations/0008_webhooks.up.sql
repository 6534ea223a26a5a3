-- Outbound webhooks: endpoints of tenants, and what each has been or is to be told.

CREATE TABLE webhook_endpoints (
    id                uuid PRIMARY KEY,
    tenant_id         uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    url               text NOT NULL,
    description       text,
    events            text[] NOT NULL DEFAULT '{}',    -- types that it wants; none: all
    is_active         boolean NOT NULL DEFAULT true,
    secret            text NOT NULL,                   -- as it was given or made; it signs, so a hash would not do
    old_secret        text,                            -- signs too, until old_secret_until
    old_secret_until  timestamptz,
    failing_since     timestamptz,                     -- first failure after the last success; null: none
    disabled_at       timestamptz,                     -- set when a worker has switched it off
    disabled_reason   text,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX webhook_endpoints_tenant ON webhook_endpoints (tenant_id, id);

-- One event for one endpoint. The id comes from both (see webhook_id), so nothing is told twice under two ids.
CREATE TABLE webhook_deliveries (
    id               uuid PRIMARY KEY,
    tenant_id        uuid NOT NULL,
    endpoint_id      uuid NOT NULL REFERENCES webhook_endpoints ON DELETE CASCADE,
    event_id         uuid NOT NULL,
    type             text NOT NULL,
    at               timestamptz NOT NULL,             -- when it happened
    data             jsonb NOT NULL,
    status           text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'failed')),
    attempts         integer NOT NULL DEFAULT 0,       -- calls begun since it was queued or redelivered
    due_at           timestamptz DEFAULT now(),        -- next call, or the end of the lease; null once it has ended
    lease            uuid,                             -- of the worker that calls; left behind by one that died
    response_status  integer,
    error            text,                             -- of the last call, in words
    history          jsonb NOT NULL DEFAULT '[]',      -- the last 20 calls, oldest first
    created_at       timestamptz NOT NULL DEFAULT now(),
    ended_at         timestamptz
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX webhook_deliveries_list ON webhook_deliveries (endpoint_id, id);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX webhook_deliveries_recipient ON webhook_deliveries (tenant_id, (data->>'recipient_id'))
    WHERE data ? 'recipient_id';

-- The id of a delivery and header webhook-id: a UUIDv7 of the event's moment, otherwise made of event and endpoint, so it
-- is the same whenever it is asked for.
CREATE FUNCTION webhook_id(at timestamptz, event uuid, endpoint uuid) RETURNS uuid
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0')
        || '7' || substr(md5(event::text || endpoint::text), 1, 3)
        || '8' || substr(md5(event::text || endpoint::text), 4, 15))::uuid;

-- The least that such an id can be from this moment on.
CREATE FUNCTION first_id(at timestamptz) RETURNS uuid
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '70008000000000000000')::uuid;

SELECT isolate('webhook_endpoints');
SELECT isolate('webhook_deliveries');
