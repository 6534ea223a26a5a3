DROP TABLE webhook_deliveries, webhook_endpoints;
DROP FUNCTION webhook_id(timestamptz, uuid, uuid);
DROP FUNCTION first_id(timestamptz);
