-- Templates: HTML and a text per language in every version, and deletion that leaves versions to what still waits.

ALTER TABLE template_versions
    ADD COLUMN html text,                              -- of an e-mail, beside the text
    ADD COLUMN variants jsonb NOT NULL DEFAULT '{}';   -- by language tag: {"tr": {"subject", "body", "html"}}

ALTER TABLE templates
    ADD COLUMN deleted_at timestamptz,                 -- hidden since; its versions stay for accepted notifications
    DROP CONSTRAINT templates_tenant_id_channel_name_key;
CREATE UNIQUE INDEX templates_name ON templates (tenant_id, channel, name) WHERE deleted_at IS NULL;
