-- Tenants, keys, templates, recipients; notifications with their attempts, trace, outbox and dead letters.

CREATE TABLE tenants (
    id          uuid PRIMARY KEY,
    name        text NOT NULL UNIQUE,
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE api_keys (
    id            uuid PRIMARY KEY,
    tenant_id     uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    name          text NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('live', 'test')),
    prefix        text NOT NULL UNIQUE,
    hash          bytea NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    revoked_at    timestamptz
);
CREATE INDEX api_keys_tenant ON api_keys (tenant_id);

CREATE TABLE templates (
    id          uuid PRIMARY KEY,
    tenant_id   uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    name        text NOT NULL,
    channel     text NOT NULL,
    version     integer NOT NULL DEFAULT 1,
    metadata    jsonb NOT NULL DEFAULT '{}',
    is_active   boolean NOT NULL DEFAULT true,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, channel, name)
);

CREATE TABLE template_versions (
    template_id  uuid NOT NULL REFERENCES templates ON DELETE CASCADE,
    version      integer NOT NULL,
    subject      text,
    body         text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (template_id, version)
);

CREATE TABLE recipients (
    tenant_id    uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    id           text NOT NULL,
    email        text,
    phone        text,
    push_tokens  text[] NOT NULL DEFAULT '{}',
    timezone     text NOT NULL DEFAULT 'UTC',
    locale       text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id)
);

CREATE TABLE batches (
    id              uuid PRIMARY KEY,
    tenant_id       uuid NOT NULL,
    total_count     integer NOT NULL,
    rejected_count  integer NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now()
);

-- The working table. Ids are UUIDv7, so the primary key is also the order of creation.
-- No foreign keys: each would cost a lookup per row on the hottest insert; tenants are never reused.
CREATE TABLE notifications (
    id                   uuid PRIMARY KEY,
    tenant_id            uuid NOT NULL,
    batch_id             uuid,
    channel              text NOT NULL,
    priority             text NOT NULL CHECK (priority IN ('high', 'normal', 'low')),
    status               text NOT NULL CHECK (status IN ('pending', 'scheduled', 'processing', 'retrying', 'deferred',
                             'delivered', 'failed', 'cancelled', 'suppressed', 'expired', 'unknown')),
    seq                  integer NOT NULL DEFAULT 1,   -- how often it was queued; a Kafka message carries it
    chain                integer NOT NULL DEFAULT 1,   -- 1, and 1 more per replay
    attempts             integer NOT NULL DEFAULT 0,   -- provider calls begun in this chain
    recipient            text,
    recipient_id         text,
    subject              text,
    content              text,
    template_id          uuid,
    template_name        text,
    template_version     integer,
    template_variables   jsonb NOT NULL DEFAULT '{}',
    category             text,
    type                 text,
    metadata             jsonb NOT NULL DEFAULT '{}',
    on_unknown           text NOT NULL DEFAULT 'resend' CHECK (on_unknown IN ('resend', 'hold')),
    idempotency_key      text,
    correlation_id       text,
    traceparent          text,
    reason               text,                         -- why it is where it is, in words
    error_message        text,
    provider             text,
    provider_message_id  text,
    scheduled_at         timestamptz,
    expires_at           timestamptz,
    due_at               timestamptz,                  -- the truth of every wait
    queued_at            timestamptz,
    lease_token          uuid,                         -- of the claim that owns it; see leases
    claimed_at           timestamptz,
    sent_at              timestamptz,
    failed_at            timestamptz,
    created_at           timestamptz NOT NULL DEFAULT now(),
    updated_at           timestamptz NOT NULL DEFAULT now(),
    CHECK (recipient IS NOT NULL OR recipient_id IS NOT NULL)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.1);

CREATE INDEX notifications_list ON notifications (tenant_id, id);
CREATE INDEX notifications_batch ON notifications (batch_id) WHERE batch_id IS NOT NULL;
CREATE INDEX notifications_due ON notifications (due_at) WHERE due_at IS NOT NULL;

-- A claim of many rows is one lease. Kept apart, so that claiming and finishing change no indexed column
-- of notifications (HOT updates); rows are removed by the sweeper once their time has passed.
CREATE TABLE leases (
    token  uuid PRIMARY KEY,
    owner  integer NOT NULL,                           -- worker slot
    until  timestamptz NOT NULL,
    ids    uuid[] NOT NULL
);
CREATE INDEX leases_until ON leases (until);

-- One row per provider call begun, written when the call is closed; an open one is the lease above.
CREATE TABLE attempts (
    notification_id      uuid NOT NULL,
    chain                integer NOT NULL,
    number               integer NOT NULL,
    provider             text,
    started_at           timestamptz NOT NULL,
    ended_at             timestamptz NOT NULL DEFAULT now(),
    duration_ms          real,
    outcome              text NOT NULL CHECK (outcome IN ('delivered', 'temporary', 'permanent', 'unknown', 'not_called')),
    error                text,
    provider_message_id  text,
    late_outcome         text,                         -- what a stale worker reported after its lease had ended
    late_at              timestamptz,
    steps                jsonb NOT NULL DEFAULT '[]'
);
CREATE INDEX attempts_notification ON attempts (notification_id);

-- Decisions made outside an attempt: cancelled, parked, re-queued by an operator.
CREATE TABLE trace_steps (
    notification_id   uuid NOT NULL,
    at                timestamptz NOT NULL DEFAULT now(),
    gate              text NOT NULL,
    verdict           text NOT NULL,
    reason            text NOT NULL,
    inputs            jsonb NOT NULL DEFAULT '{}',
    next_eligible_at  timestamptz
);
CREATE INDEX trace_steps_notification ON trace_steps (notification_id);

-- What has still to reach Kafka: one row per tenant and topic of a commit, deleted when the broker has it.
CREATE TABLE outbox (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id      uuid,
    topic          text NOT NULL,                      -- without the prefix, e.g. sms.high
    messages       jsonb NOT NULL,                     -- [[key, value, {header: text}], …]; a text value is base64
    ids            uuid[] NOT NULL,
    publish_after  timestamptz NOT NULL DEFAULT now() + interval '10 seconds',
    created_at     timestamptz NOT NULL DEFAULT now()
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

CREATE TABLE dead_letters (
    id               uuid PRIMARY KEY,
    notification_id  uuid,
    tenant_id        uuid,
    channel          text NOT NULL,
    reason           text NOT NULL,
    attempts         integer NOT NULL DEFAULT 0,
    chain            integer NOT NULL DEFAULT 1,
    topic            text,
    partition        integer,
    "offset"         bigint,
    key              bytea,
    value            bytea,
    headers          jsonb NOT NULL DEFAULT '[]',
    created_at       timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX dead_letters_notification ON dead_letters (notification_id, chain) WHERE value IS NULL;
CREATE UNIQUE INDEX dead_letters_record ON dead_letters (topic, partition, "offset") WHERE value IS NOT NULL;

CREATE TABLE idempotency_keys (
    tenant_id        uuid NOT NULL,
    key              text NOT NULL,
    notification_id  uuid NOT NULL,
    expires_at       timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, key)
);
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);

-- Stored answers of requests that carried an Idempotency-Key header; status is null while in flight.
CREATE TABLE idempotent_requests (
    tenant_id     uuid NOT NULL,
    route         text NOT NULL,
    key           text NOT NULL,
    body_hash     bytea NOT NULL,
    status        integer,
    headers       jsonb,
    body          bytea,
    locked_until  timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, route, key)
);
CREATE INDEX idempotent_requests_expiry ON idempotent_requests (expires_at);

-- Sent and failed per channel and hour, kept in the transaction that finishes a delivery.
CREATE TABLE channel_totals (
    tenant_id       uuid NOT NULL,
    channel         text NOT NULL,
    hour            timestamptz NOT NULL,
    sent            bigint NOT NULL DEFAULT 0,
    failed          bigint NOT NULL DEFAULT 0,
    latency_ms_sum  double precision NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, channel, hour)
) WITH (fillfactor = 50);

-- Key of a notification's Kafka records: same recipient, same partition, without the address itself.
CREATE FUNCTION record_key(tenant uuid, recipient_id text, recipient text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN tenant::text || ':' || left(encode(sha256(convert_to(coalesce(recipient_id, recipient), 'UTF8')), 'hex'), 32);

-- The record that wakes a worker for a notification: thin, because everything else is here.
CREATE FUNCTION wake_up(id uuid, seq integer, tenant uuid, recipient_id text, recipient text,
                        traceparent text, correlation_id text, due_at timestamptz DEFAULT NULL) RETURNS jsonb
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN jsonb_build_array(
        record_key(tenant, recipient_id, recipient),
        jsonb_strip_nulls(jsonb_build_object('v', 1, 'id', id, 'seq', seq, 'due_at', extract(epoch FROM due_at))),
        jsonb_strip_nulls(jsonb_build_object('traceparent', traceparent, 'correlation_id', correlation_id)));
