CREATE OR REPLACE FUNCTION tell(tenants uuid[], events jsonb[]) RETURNS TABLE (id bigint, topic text, messages jsonb)
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
    INSERT INTO outbox AS o (tenant_id, topic, messages, ids)
    SELECT w.tenant, 'events', jsonb_build_array(jsonb_build_array(w.tenant, encode(convert_to(
            '{"v": 1, "tenant_id": "' || w.tenant || '", "events": ' || jsonb_agg(w.event ORDER BY w.place) || '}',
            'UTF8'), 'base64'), '{}'::jsonb)), '{}'
    FROM (SELECT t.*, (row_number() OVER (PARTITION BY t.tenant ORDER BY t.place) - 1) / 500 AS chunk
        FROM unnest(tenants, events) WITH ORDINALITY AS t(tenant, event, place)
        WHERE current_tenant() IS NULL OR t.tenant = current_tenant()) w
    GROUP BY w.tenant, w.chunk
    RETURNING o.id, o.topic, o.messages;
END;
