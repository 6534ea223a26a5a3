-- name: delete
DELETE FROM outbox WHERE id = ANY (@ids::bigint[]);

-- name: take_leftovers
-- Entries whose publisher did not delete them in time; taking one hides it from others for 10 s.
WITH taken AS (
    SELECT id FROM outbox
    WHERE publish_after <= now() AND NOT held ORDER BY id LIMIT @limit FOR UPDATE SKIP LOCKED
)
UPDATE outbox o SET publish_after = now() + interval '10 seconds'
FROM taken WHERE o.id = taken.id
RETURNING o.id, o.topic, o.messages;

-- name: hasten
UPDATE outbox SET publish_after = now() WHERE id = ANY (@ids::bigint[]);

-- name: hold
UPDATE outbox SET held = true WHERE id = ANY (@ids::bigint[]);

-- fragment: held
-- The lanes of tenants with entries that are held back: one probe of the index for each.
lanes AS (
    (SELECT topic, tenant_id FROM outbox WHERE held ORDER BY topic, tenant_id LIMIT 1)
    UNION ALL
    SELECT n.topic, n.tenant_id FROM lanes l CROSS JOIN LATERAL (
        SELECT o.topic, o.tenant_id FROM outbox o
        WHERE o.held AND (o.topic, o.tenant_id) > (l.topic, l.tenant_id)
        ORDER BY o.topic, o.tenant_id LIMIT 1) n
)

-- name: held_lanes
-- The lanes and tenants for which entries are held back: one probe of the index for each.
WITH RECURSIVE {{held}}
SELECT topic, tenant_id::text AS tenant FROM lanes;

-- name: release
-- Held entries of these lanes, as many records as each has room for, one entry of each tenant in
-- turn. Often there is room for one only, so whose turn comes first is left to chance: in the long
-- run all tenants get the same.
WITH RECURSIVE {{held}}, turns AS (
    SELECT l.topic, e.id, e.records, room,
        row_number() OVER (PARTITION BY l.topic, l.tenant_id ORDER BY e.id) + l.chance AS turn
    FROM (SELECT lanes.*, random() AS chance FROM lanes) l
    JOIN @rooms::records AS r(topic text, room integer) ON r.topic = l.topic
    CROSS JOIN LATERAL (
        SELECT o.id, cardinality(o.ids) AS records FROM outbox o
        WHERE o.held AND o.topic = l.topic AND o.tenant_id = l.tenant_id ORDER BY o.id LIMIT 100) e
), chosen AS (
    SELECT id, turn FROM (
        SELECT id, turn, room, records,
            sum(records) OVER (PARTITION BY topic ORDER BY turn, id) AS total FROM turns) t
    WHERE total - records < room
)
UPDATE outbox o SET held = false, publish_after = now() + interval '10 seconds'
FROM chosen c WHERE o.id = c.id AND o.held
RETURNING o.id, o.topic, o.messages, c.turn;
