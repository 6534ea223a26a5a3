-- name: store_record
-- A record that cannot be decoded: kept byte for byte, once per place, and announced on the dead-letter topic.
WITH buried AS (
    INSERT INTO dead_letters (id, channel, reason, topic, partition, "offset", key, value, headers)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    ON CONFLICT (topic, partition, "offset") WHERE notification_id IS NULL DO NOTHING
    RETURNING id
), published AS (
    INSERT INTO outbox (topic, messages, ids)
    SELECT $2 || '.dlq', jsonb_build_array(jsonb_build_array(jsonb_build_object('base64', encode($7, 'base64')),
            encode($8, 'base64'), $10::jsonb)),
        ARRAY[id]
    FROM buried RETURNING id, topic, messages
)
SELECT (SELECT jsonb_agg(jsonb_build_array(id, topic, messages)) FROM published) AS entries;

-- name: keep_records
-- Undecodable records as the dead-letter topic has them; those that are there already stay as they are.
INSERT INTO dead_letters (id, channel, reason, topic, partition, "offset", key, value, headers, created_at)
SELECT id, channel, reason, topic, partition, "offset", key, value, headers::jsonb, coalesce(created_at, now())
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::integer[], $6::bigint[], $7::bytea[], $8::bytea[],
    $9::text[], $10::timestamptz[])
AS r(id, channel, reason, topic, partition, "offset", key, value, headers, created_at)
ON CONFLICT DO NOTHING
RETURNING id;

-- name: keep_failures
-- Failed deliveries as the dead-letter topic has them. Whose notification is in a later chain, was replayed.
INSERT INTO dead_letters (id, notification_id, tenant_id, channel, reason, attempts, chain, topic, partition, "offset",
    key, history, created_at, replayed_at)
SELECT f.id, f.notification_id, f.tenant_id, f.channel, f.reason, f.attempts, f.chain, f.topic, f.partition, f."offset",
    f.key, f.history::jsonb, coalesce(f.created_at, now()), CASE WHEN n.chain > f.chain THEN coalesce((
        SELECT min(t.at) FROM trace_steps t
        WHERE t.notification_id = n.id AND t.gate = 'replay' AND t.inputs ->> 'chain' = (f.chain + 1)::text), now()) END
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::integer[], $7::integer[], $8::text[],
    $9::integer[], $10::bigint[], $11::bytea[], $12::text[], $13::timestamptz[])
AS f(id, notification_id, tenant_id, channel, reason, attempts, chain, topic, partition, "offset", key, history,
    created_at)
LEFT JOIN notifications n ON n.id = f.notification_id
ON CONFLICT DO NOTHING
RETURNING id;

-- name: list
-- Newest first, without bytes; every filter is optional; the cursor is the last id seen.
SELECT d.id, d.notification_id, d.tenant_id, d.channel, d.reason, d.attempts, d.chain, d.topic, d.partition,
    d."offset", d.created_at, d.replayed_at
FROM dead_letters d
WHERE d.deleted_at IS NULL
    AND d.id < coalesce($1::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
    AND ($2::uuid IS NULL OR d.tenant_id = $2)
    AND ($3::text IS NULL OR d.channel = $3)
    AND ($4::text IS NULL OR position(lower($4) IN lower(d.reason)) > 0)
    AND ($5::uuid IS NULL OR d.notification_id = $5)
    AND ($6::text IS NULL OR EXISTS (
        SELECT FROM notifications n
        WHERE n.id = d.notification_id AND (n.template_name = $6 OR n.template_id::text = $6)))
    AND ($7::timestamptz IS NULL OR d.created_at >= $7)
    AND ($8::timestamptz IS NULL OR d.created_at <= $8)
    AND ($9::boolean IS NULL OR (d.replayed_at IS NOT NULL) = $9)
ORDER BY d.id DESC LIMIT $10;

-- name: kinds
-- What a filter finds, by channel and reason, the most frequent first, and how many that is in all.
SELECT d.channel, d.reason, d.notification_id IS NULL AS undecodable, count(*) AS count,
    (sum(count(*)) OVER ())::bigint AS total
FROM dead_letters d
WHERE d.deleted_at IS NULL
    AND ($1::uuid IS NULL OR d.tenant_id = $1)
    AND ($2::text IS NULL OR d.channel = $2)
    AND ($3::text IS NULL OR position(lower($3) IN lower(d.reason)) > 0)
    AND ($4::uuid IS NULL OR d.notification_id = $4)
    AND ($5::text IS NULL OR EXISTS (
        SELECT FROM notifications n
        WHERE n.id = d.notification_id AND (n.template_name = $5 OR n.template_id::text = $5)))
    AND ($6::timestamptz IS NULL OR d.created_at >= $6)
    AND ($7::timestamptz IS NULL OR d.created_at <= $7)
    AND ($8::boolean IS NULL OR (d.replayed_at IS NOT NULL) = $8)
GROUP BY 1, 2, 3 ORDER BY count DESC, 1, 2 LIMIT $9;

-- name: next
-- The same, oldest first after an id: what a replay takes next.
SELECT d.id, d.notification_id, d.chain
FROM dead_letters d
WHERE d.deleted_at IS NULL
    AND d.id > coalesce($1::uuid, '00000000-0000-0000-0000-000000000000')
    AND ($2::uuid IS NULL OR d.tenant_id = $2)
    AND ($3::text IS NULL OR d.channel = $3)
    AND ($4::text IS NULL OR position(lower($4) IN lower(d.reason)) > 0)
    AND ($5::uuid IS NULL OR d.notification_id = $5)
    AND ($6::text IS NULL OR EXISTS (
        SELECT FROM notifications n
        WHERE n.id = d.notification_id AND (n.template_name = $6 OR n.template_id::text = $6)))
    AND ($7::timestamptz IS NULL OR d.created_at >= $7)
    AND ($8::timestamptz IS NULL OR d.created_at <= $8)
    AND ($9::boolean IS NULL OR (d.replayed_at IS NOT NULL) = $9)
ORDER BY d.id LIMIT $10;

-- name: get
-- With its bytes, and the calls of its own chain and of those before.
SELECT d.*, (
    SELECT jsonb_agg(a.call || jsonb_build_object('chain', e.chain) ORDER BY e.chain, a.n)
    FROM dead_letters e, jsonb_array_elements(e.history) WITH ORDINALITY AS a(call, n)
    WHERE e.notification_id = d.notification_id AND e.chain <= d.chain
) AS calls, (SELECT n.status FROM notifications n WHERE n.id = d.notification_id) AS notification_status
FROM dead_letters d WHERE d.id = $1 AND d.deleted_at IS NULL;

-- name: over_time
-- How many were buried by channel and span of $2 since $1; a span without any has no row.
SELECT channel, date_bin($2::interval, created_at, $1::timestamptz) AS at, count(*) AS count
FROM dead_letters WHERE created_at >= $1::timestamptz AND deleted_at IS NULL AND ($3::text IS NULL OR channel = $3)
GROUP BY 1, 2;

-- name: prospects
-- Those that are there, newest first, and what decides whether a replay could queue them.
SELECT d.id, d.notification_id, d.tenant_id, d.channel, d.reason, d.attempts, d.chain, d.topic, d.partition,
    d."offset", d.created_at, d.replayed_at, n.status AS notification_status,
    d.headers @> '[["dlq.oversize"]]' AND octet_length(coalesce(d.value, '')) = 0 AS lost,
    octet_length(coalesce(d.key, '')) + octet_length(coalesce(d.value, '')) + octet_length(d.headers::text) AS size
FROM dead_letters d LEFT JOIN notifications n ON n.id = d.notification_id
WHERE d.id = ANY ($1::uuid[]) AND d.deleted_at IS NULL ORDER BY d.id DESC;

-- name: references
-- Notification and chain of those that are there.
SELECT id, notification_id, chain FROM dead_letters WHERE id = ANY ($1::uuid[]) AND deleted_at IS NULL ORDER BY id;

-- name: replay_records
-- Undecodable records back to the topic that they came from, once each, as they were. Those under another prefix,
-- of which Kafka has not all bytes, or with more than $3 bytes, stay.
WITH due AS (
    SELECT id FROM dead_letters
    WHERE id = ANY ($1::uuid[]) AND notification_id IS NULL AND replayed_at IS NULL AND deleted_at IS NULL
        AND starts_with(topic, $2::text || '.')
        AND NOT (headers @> '[["dlq.oversize"]]' AND octet_length(coalesce(value, '')) = 0)
        AND octet_length(coalesce(key, '')) + octet_length(coalesce(value, '')) + octet_length(headers::text) <= $3
    ORDER BY id FOR UPDATE
), marked AS (
    UPDATE dead_letters d SET replayed_at = now()
    FROM due WHERE d.id = due.id AND d.replayed_at IS NULL
    RETURNING d.id, d.topic, d.key, d.value, d.headers
), queued AS (
    INSERT INTO outbox (topic, messages, ids)
    SELECT substr(topic, length($2) + 2), jsonb_build_array(jsonb_build_array(
            jsonb_build_object('base64', encode(key, 'base64')), encode(value, 'base64'), headers)), ARRAY[id]
    FROM marked
    RETURNING id, topic, messages
)
SELECT ARRAY(SELECT id FROM marked) AS replayed,
    (SELECT jsonb_agg(jsonb_build_array(id, topic, messages) ORDER BY id) FROM queued) AS entries;

-- name: mark_replayed
-- Those whose notification is in a later chain already, and records that were produced again from Kafka.
UPDATE dead_letters d SET replayed_at = now()
WHERE d.id = ANY ($1::uuid[]) AND d.replayed_at IS NULL AND d.deleted_at IS NULL
    AND (d.notification_id IS NULL OR d.chain < (SELECT n.chain FROM notifications n WHERE n.id = d.notification_id))
RETURNING d.id;

-- name: delete
-- The row stays, so that reading the topic again does not bring the entry back.
UPDATE dead_letters
SET deleted_at = now(), key = NULL, value = NULL, headers = '[]', history = '[]'
WHERE id = ANY ($1::uuid[]) AND deleted_at IS NULL
RETURNING id;

-- name: clock
SELECT now() AS now;
