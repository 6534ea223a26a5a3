DO $$
DECLARE walled regclass;
BEGIN
    FOREACH walled IN ARRAY ARRAY['templates', 'recipients', 'preferences', 'suppressions', 'batches', 'notifications',
        'cap_uses', 'idempotency_keys', 'idempotent_requests', 'channel_totals', 'outbox', 'dead_letters', 'attempts',
        'trace_steps', 'replayed', 'template_versions', 'audit_log']::regclass[] LOOP
        EXECUTE format('DROP POLICY tenant_wall ON %s', walled);
        EXECUTE format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', walled);
        EXECUTE format('REVOKE ALL ON %s FROM notistream_tenant', walled);
    END LOOP;
END $$;
DROP FUNCTION is_own_template;
DROP TABLE request_windows;
ALTER TABLE api_keys DROP COLUMN replaced_by, DROP COLUMN last_used_at, DROP COLUMN expires_at;
