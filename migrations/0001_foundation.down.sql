DROP FUNCTION wake_up(uuid, integer, uuid, text, text, text, text, timestamptz);
DROP FUNCTION record_key(uuid, text, text);
DROP TABLE channel_totals, idempotent_requests, idempotency_keys, dead_letters, outbox, trace_steps, attempts, leases,
    notifications, batches, recipients, template_versions, templates, api_keys, tenants;
