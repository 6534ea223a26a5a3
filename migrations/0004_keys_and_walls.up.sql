-- Keys that end, are used and are replaced; what each may ask for; and the walls between tenants.

ALTER TABLE api_keys
    ADD COLUMN expires_at timestamptz,                 -- null: never
    ADD COLUMN last_used_at timestamptz,               -- to the minute or so
    ADD COLUMN replaced_by uuid;                       -- the key that a rotation has made of it

-- What API processes have reserved of each key's current window: HTTP requests. One row per key, never more.
CREATE TABLE request_windows (
    key_id   uuid NOT NULL REFERENCES api_keys ON DELETE CASCADE,
    span_s   integer NOT NULL,                         -- length of a window; another limit counts apart
    number   bigint NOT NULL,                          -- of the window since 1970, by this server's clock
    used     integer NOT NULL,
    granted  integer NOT NULL,                         -- by the last statement
    PRIMARY KEY (key_id, span_s)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- A tenant's request may read and change its own rows of these …
SELECT isolate(walled) FROM unnest(ARRAY['templates', 'recipients', 'preferences', 'suppressions', 'batches',
    'notifications', 'cap_uses', 'idempotency_keys', 'idempotent_requests', 'channel_totals']::regclass[]) AS walled;
-- … but what is kept, or counted, is not a tenant's to delete.
REVOKE DELETE ON notifications, batches, idempotency_keys, channel_totals FROM notistream_tenant;

-- Tables of the engine, as far as cancelling, resolving and sending again need them.
CREATE POLICY tenant_wall ON outbox TO notistream_tenant USING (tenant_id = current_tenant());
CREATE POLICY tenant_wall ON dead_letters TO notistream_tenant USING (tenant_id = current_tenant());
ALTER TABLE outbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE dead_letters ENABLE ROW LEVEL SECURITY;
GRANT SELECT, INSERT ON outbox TO notistream_tenant;
GRANT SELECT, INSERT, UPDATE ON dead_letters TO notistream_tenant;

-- Rows that belong to a notification are the tenant's whose notification it is.
DO $$
DECLARE child regclass;
BEGIN
    FOREACH child IN ARRAY ARRAY['attempts', 'trace_steps', 'replayed']::regclass[] LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', child);
        EXECUTE format('CREATE POLICY tenant_wall ON %1$s TO notistream_tenant USING (EXISTS (SELECT FROM notifications n '
            'WHERE n.id = %1$s.notification_id AND n.tenant_id = current_tenant()))', child);
    END LOOP;
END $$;
GRANT SELECT ON attempts TO notistream_tenant;
GRANT SELECT, INSERT ON trace_steps, replayed TO notistream_tenant;

-- Volatile, so that it sees a template which the same statement has just stored.
CREATE FUNCTION is_own_template(wanted uuid) RETURNS boolean
    LANGUAGE sql VOLATILE
    RETURN EXISTS (SELECT FROM templates WHERE id = wanted AND tenant_id = current_tenant());
ALTER TABLE template_versions ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant_wall ON template_versions TO notistream_tenant USING (is_own_template(template_id));
GRANT SELECT, INSERT ON template_versions TO notistream_tenant;

-- What a tenant has done is noted under its own name; it reads none of it here.
ALTER TABLE audit_log ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant_wall ON audit_log FOR INSERT TO notistream_tenant
    WITH CHECK (actor = current_tenant()::text);
GRANT INSERT ON audit_log TO notistream_tenant;
