-- The role that a tenant's requests run as, and what a notification has of its sender.

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
