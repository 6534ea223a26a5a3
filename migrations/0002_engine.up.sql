-- The delivery engine: preferences and suppressions, caps, provider tokens, pauses, breakers, held outbox entries,
-- dead letters with their way, replays, repairs and the audit log.

ALTER TABLE notifications ADD COLUMN next_provider text;   -- after a failover: whose turn it is; null: the first

CREATE TABLE preferences (
    tenant_id     uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    recipient_id  text NOT NULL,
    channels      jsonb NOT NULL DEFAULT '{}',         -- {channel: {enabled, quiet_hours, frequency_cap}}
    categories    jsonb NOT NULL DEFAULT '{}',         -- {category: wanted}
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, recipient_id)
);

-- Addresses that must not be sent to; e-mail addresses in lower case.
CREATE TABLE suppressions (
    tenant_id   uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    channel     text NOT NULL,
    address     text NOT NULL,
    reason      text NOT NULL CHECK (reason IN ('bounce', 'complaint', 'unsubscribe', 'manual')),
    note        text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, channel, address)
);

-- The addresses by which a suppression may know the recipient of a message: its own, or the stored contacts, of the
-- device tokens the newest, which is the one that is sent to.
CREATE FUNCTION addresses_of(recipient text, recipient_id text, email text, phone text, push_tokens text[])
    RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN recipient IS NOT NULL THEN ARRAY[recipient, lower(recipient)]
        ELSE ARRAY[lower(email), phone, recipient_id, push_tokens[cardinality(push_tokens)]] END;

-- What counts against a frequency cap: one row per notification that was let through, removed when it was not sent.
CREATE TABLE cap_uses (
    tenant_id        uuid NOT NULL,
    recipient_id     text NOT NULL,
    channel          text NOT NULL,
    notification_id  uuid NOT NULL,
    at               timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, recipient_id, channel, notification_id)
);
CREATE INDEX cap_uses_notification ON cap_uses (notification_id);
CREATE INDEX cap_uses_at ON cap_uses (at);

-- Tokens taken of each 100 ms of the database's clock, per bucket (channel and provider).
CREATE TABLE token_slots (
    bucket  text NOT NULL,
    slot    bigint NOT NULL,                           -- tenths of a second since 1970
    used    integer NOT NULL,
    PRIMARY KEY (bucket, slot)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- Takes up to `wanted` tokens at `rate` per second, from the slot that is there in `after` seconds and the `ahead` slots
-- behind it; of those half of what is left, so that whoever asks first does not get all. A slot's share is the whole
-- tokens that fall due in it, so ten slots in a row never hold more than the rate.
CREATE FUNCTION take_tokens(wanted_bucket text, rate double precision, wanted integer, ahead integer,
                            after double precision)
    RETURNS TABLE (begins_in double precision, ends_in double precision, tokens integer)
    LANGUAGE plpgsql AS $$
DECLARE
    at double precision := extract(epoch FROM clock_timestamp());
    first bigint := floor((at + after) * 10);
    k bigint;
    share integer;
    taken integer;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('tokens:' || wanted_bucket, 0));
    FOR step IN 0 .. ahead LOOP
        EXIT WHEN wanted <= 0;
        k := first + step;
        share := floor((k + 1) * rate / 10) - floor(k * rate / 10);
        SELECT greatest(share - coalesce(max(used), 0), 0) INTO taken
        FROM token_slots WHERE bucket = wanted_bucket AND slot = k;
        taken := least(CASE WHEN step = 0 THEN taken ELSE (taken + 1) / 2 END, wanted);
        CONTINUE WHEN taken = 0;
        INSERT INTO token_slots AS t (bucket, slot, used) VALUES (wanted_bucket, k, taken)
        ON CONFLICT (bucket, slot) DO UPDATE SET used = t.used + excluded.used;
        wanted := wanted - taken;
        begins_in := greatest(k / 10.0 - at, 0);
        ends_in := (k + 1) / 10.0 - at;
        tokens := taken;
        RETURN NEXT;
    END LOOP;
    DELETE FROM token_slots WHERE bucket = wanted_bucket AND slot < floor(at * 10);
END $$;

-- Channels and providers that an operator holds back; provider '' means all of the channel's.
CREATE TABLE pauses (
    channel    text NOT NULL,
    provider   text NOT NULL DEFAULT '',
    reason     text NOT NULL DEFAULT '',
    paused_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (channel, provider)
);

-- Circuit breakers that are not closed, as each worker slot last said.
CREATE TABLE breakers (
    slot      integer NOT NULL,
    channel   text NOT NULL,
    provider  text NOT NULL,
    state     text NOT NULL CHECK (state IN ('open', 'half_open')),
    reason    text NOT NULL,
    since     timestamptz NOT NULL DEFAULT now(),
    probe_at  timestamptz NOT NULL,
    PRIMARY KEY (slot, channel, provider)
);

-- Entries that wait until their lane has room, so that one tenant's flood does not delay the others.
ALTER TABLE outbox ADD COLUMN held boolean NOT NULL DEFAULT false;
CREATE INDEX outbox_held ON outbox (topic, tenant_id, id) WHERE held;

-- Entries have at most a hundred records, so that what is held back is released in small pieces.
CREATE FUNCTION outbox_chunk(row_number bigint) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (row_number - 1) / 100;

-- The scheduler looks lane by lane, as far as each has room.
DROP INDEX notifications_due;
CREATE INDEX notifications_due ON notifications (channel, priority, due_at) WHERE due_at IS NOT NULL;

ALTER TABLE dead_letters
    ADD COLUMN history jsonb NOT NULL DEFAULT '[]',    -- attempts of the chain, oldest first
    ADD COLUMN replayed_at timestamptz,
    ADD COLUMN deleted_at timestamptz;
DROP INDEX dead_letters_record;
CREATE UNIQUE INDEX dead_letters_record ON dead_letters (topic, partition, "offset") WHERE notification_id IS NULL;
DROP INDEX dead_letters_notification;
CREATE UNIQUE INDEX dead_letters_notification ON dead_letters (notification_id, chain) WHERE notification_id IS NOT NULL;
CREATE INDEX dead_letters_list ON dead_letters (channel, id) WHERE deleted_at IS NULL;

-- Replays of a time range, and what each has queued: once per replay id.
CREATE TABLE replays (
    id           uuid PRIMARY KEY,
    filter       jsonb NOT NULL,                       -- since, until, channel, tenant_id, statuses
    rate         double precision NOT NULL,            -- notifications per second
    state        text NOT NULL CHECK (state IN ('running', 'stopped', 'finished')),
    total        integer NOT NULL,
    queued       integer NOT NULL DEFAULT 0,
    skipped      integer NOT NULL DEFAULT 0,
    last_id      uuid,                                 -- how far it has come
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE replayed (
    replay_id        uuid NOT NULL,
    notification_id  uuid NOT NULL,
    at               timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (replay_id, notification_id)
);

-- Notifications that the audit has queued again: at most once a minute each, then two, four, …
CREATE TABLE repairs (
    notification_id  uuid PRIMARY KEY,
    times            integer NOT NULL DEFAULT 1,
    next_at          timestamptz NOT NULL
);

-- What operators did, and when.
CREATE TABLE audit_log (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       timestamptz NOT NULL DEFAULT now(),
    actor    text NOT NULL,                            -- cli, admin, or a tenant's id
    action   text NOT NULL,
    target   text NOT NULL,
    details  jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_log_at ON audit_log (at);
