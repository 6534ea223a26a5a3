DROP TABLE webhook_deliveries, webhook_endpoints;
DROP FUNCTION webhook_id(timestamptz, uuid, uuid);
DROP FUNCTION time_id(timestamptz, text);
DROP FUNCTION first_id(timestamptz);
