-- The role that a tenant's requests run as, and what the topic `events` is told.

-- Roles belong to the whole server: another database of it may have made this one.
DO $$ BEGIN
    CREATE ROLE notistream_tenant NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
GRANT notistream_tenant TO CURRENT_USER;
GRANT USAGE ON SCHEMA public TO notistream_tenant;

-- The tenant whose request this is; null outside of one.
CREATE FUNCTION current_tenant() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('notistream.tenant', true), '')::uuid;

-- Shows a table with a column `tenant_id` to a tenant's requests, and of it only the tenant's own rows.
CREATE FUNCTION isolate(kept regclass) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', kept);
    EXECUTE format('CREATE POLICY tenant_wall ON %s TO notistream_tenant USING (tenant_id = current_tenant())', kept);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO notistream_tenant', kept);
END $$;

ALTER TABLE notifications
    ADD COLUMN test boolean NOT NULL DEFAULT false,    -- of a test key: never reaches a real provider
    ADD COLUMN locale text;                            -- language wanted by the sender; null: the recipient's

-- One event: a notification has come to a status. Nothing personal is in it but the sender's own id of the recipient.
CREATE FUNCTION status_event(id uuid, status text, reason text, channel text, priority text, recipient_id text,
                             batch_id uuid, category text, attempts integer, chain integer, provider text,
                             provider_message_id text, test boolean) RETURNS jsonb
    LANGUAGE sql VOLATILE PARALLEL SAFE
    RETURN jsonb_build_object('id', gen_random_uuid(), 'type', 'notification.' || status, 'at', now(),
        'data', jsonb_strip_nulls(jsonb_build_object('notification_id', id, 'status', status, 'reason', reason,
            'channel', channel, 'priority', priority, 'recipient_id', recipient_id, 'batch_id', batch_id,
            'category', category, 'attempts', attempts, 'chain', chain, 'provider', provider,
            'provider_message_id', provider_message_id, 'test', nullif(test, false))));

-- The messages of an outbox entry for the topic `events`: all events of a tenant and statement are one record.
CREATE FUNCTION events_messages(tenant uuid, events jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN jsonb_build_array(jsonb_build_array(
        tenant::text, jsonb_build_object('v', 1, 'tenant_id', tenant, 'events', events), '{}'::jsonb));
