-- The inbox of every recipient, and how a statement tells what came of notifications.

-- What lists and streams need of an inbox at once. Whoever stores a message locks this row first, and has it until the
-- commit: so messages get their places in the order in which they become visible, and a reader that has seen one
-- place has seen all before it.
CREATE TABLE inboxes (
    tenant_id     uuid NOT NULL,
    recipient_id  text NOT NULL,
    last_seq      bigint NOT NULL DEFAULT 0,
    unread        integer NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, recipient_id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);

CREATE TABLE inbox_messages (
    id               uuid PRIMARY KEY,                 -- made from the provider key: the same message is kept once
    tenant_id        uuid NOT NULL,
    recipient_id     text NOT NULL,
    seq              bigint NOT NULL,                  -- 1, 2, 3 … in the recipient's inbox
    notification_id  uuid NOT NULL,
    title            text,
    body             text NOT NULL,
    payload          jsonb NOT NULL DEFAULT '{}',
    read_at          timestamptz,
    created_at       timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, recipient_id, seq)
);
CREATE INDEX inbox_messages_unread ON inbox_messages (tenant_id, recipient_id, seq) WHERE read_at IS NULL;

SELECT isolate('inboxes'), isolate('inbox_messages');

-- Keeps messages that are not there yet; the ids that it kept. Three statements of one call, because each takes a
-- snapshot of its own: the last sees what others committed before the locks of the second were granted.
CREATE FUNCTION keep_in_inbox(ids uuid[], tenants uuid[], recipients text[], notifications uuid[], titles text[],
                              bodies text[], payloads jsonb[]) RETURNS SETOF uuid
    LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO inboxes (tenant_id, recipient_id)
    SELECT DISTINCT w.tenant, w.recipient FROM unnest(tenants, recipients) AS w(tenant, recipient) ORDER BY 1, 2
    ON CONFLICT DO NOTHING;
    PERFORM FROM inboxes i
    WHERE (i.tenant_id, i.recipient_id) IN (SELECT * FROM unnest(tenants, recipients))
    ORDER BY i.tenant_id, i.recipient_id FOR UPDATE;
    RETURN QUERY
    WITH fresh AS (
        SELECT DISTINCT ON (w.id) w.*
        FROM unnest(ids, tenants, recipients, notifications, titles, bodies, payloads) WITH ORDINALITY
            AS w(id, tenant, recipient, notification, title, body, payload, place)
        WHERE NOT EXISTS (SELECT FROM inbox_messages m WHERE m.id = w.id)
        ORDER BY w.id, w.place
    ), kept AS (
        INSERT INTO inbox_messages (id, tenant_id, recipient_id, seq, notification_id, title, body, payload)
        SELECT f.id, f.tenant, f.recipient,
            i.last_seq + row_number() OVER (PARTITION BY f.tenant, f.recipient ORDER BY f.place),
            f.notification, f.title, f.body, f.payload
        FROM fresh f JOIN inboxes i ON i.tenant_id = f.tenant AND i.recipient_id = f.recipient
        RETURNING id, tenant_id, recipient_id
    ), counted AS (
        UPDATE inboxes i SET last_seq = i.last_seq + k.count, unread = i.unread + k.count
        FROM (SELECT tenant_id, recipient_id, count(*)::integer AS count FROM kept GROUP BY 1, 2) k
        WHERE i.tenant_id = k.tenant_id AND i.recipient_id = k.recipient_id
    )
    SELECT k.id FROM kept k;
END $$;

-- Who gets a notification, by the sender's own id: of an in-app message the address is that id.
CREATE FUNCTION recipient_of(channel text, recipient text, recipient_id text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE channel WHEN 'in_app' THEN coalesce(recipient, recipient_id) ELSE recipient_id END;

-- The event of a row as it is now, in the form of notistream/domain/event.py, with nothing personal in it but the
-- sender's own id of the recipient; the event's id follows from what it tells. This is computed for every delivery:
-- rows of a type become jsonb in a fifth of the time that jsonb_build_object takes.
CREATE TYPE status_event_data AS (notification_id uuid, status text, reason text, channel text, priority text,
    recipient_id text, batch_id uuid, category text, attempts integer, chain integer, provider text,
    provider_message_id text, test boolean);
CREATE TYPE told_event AS (id uuid, type text, at timestamptz, data jsonb);
CREATE FUNCTION status_event(n notifications) RETURNS jsonb
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN to_jsonb(ROW(
        encode(substring(sha256(convert_to(n.id::text || n.seq || n.status, 'UTF8')) FOR 16), 'hex')::uuid,
        'notification.' || n.status, now(), jsonb_strip_nulls(to_jsonb(ROW(
            n.id, n.status, left(n.reason, 500), n.channel, n.priority,
            recipient_of(n.channel, n.recipient, n.recipient_id), n.batch_id, n.category, n.attempts, n.chain,
            n.provider, n.provider_message_id, nullif(n.test, false))::status_event_data)))::told_event);

-- Leaves events for the topic `events`: one record per tenant and 500 events, which stays well under a megabyte. Its
-- value is base64, because jsonb within jsonb is copied at every level; its ids are empty, because it wakes nobody.
-- Runs as its owner: a tenant's request may tell of its own rows, but cannot see the outbox.
CREATE FUNCTION tell(tenants uuid[], events jsonb[]) RETURNS TABLE (id bigint, topic text, messages jsonb)
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
