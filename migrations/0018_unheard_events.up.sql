-- A record of events says in a header when no webhook endpoint of its tenant is active: then the agent that fills
-- webhook_deliveries need neither read it nor ask. An endpoint is told of what happens after it was registered, and this
-- looks in the transaction in which it happens.
CREATE OR REPLACE FUNCTION tell(tenants uuid[], events jsonb[]) RETURNS TABLE (id bigint, topic text, messages jsonb)
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
    INSERT INTO outbox AS o (tenant_id, topic, messages, ids)
    SELECT w.tenant, 'events', jsonb_build_array(jsonb_build_array(w.tenant, encode(convert_to(
            '{"v": 1, "tenant_id": "' || w.tenant || '", "events": ' || jsonb_agg(w.event ORDER BY w.place) || '}',
            'UTF8'), 'base64'),
            CASE WHEN EXISTS (SELECT FROM webhook_endpoints p WHERE p.tenant_id = w.tenant AND p.is_active)
                THEN '{}'::jsonb ELSE '{"webhooks": "none"}'::jsonb END)), '{}'
    FROM (SELECT t.*, (row_number() OVER (PARTITION BY t.tenant ORDER BY t.place) - 1) / 500 AS chunk
        FROM unnest(tenants, events) WITH ORDINALITY AS t(tenant, event, place)
        WHERE current_tenant() IS NULL OR t.tenant = current_tenant()) w
    GROUP BY w.tenant, w.chunk
    RETURNING o.id, o.topic, o.messages;
END;
