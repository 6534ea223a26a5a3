DELETE FROM templates WHERE deleted_at IS NOT NULL;
DROP INDEX templates_name;
ALTER TABLE templates
    DROP COLUMN deleted_at,
    ADD CONSTRAINT templates_tenant_id_channel_name_key UNIQUE (tenant_id, channel, name);
ALTER TABLE template_versions DROP COLUMN html, DROP COLUMN variants;
