-- name: store_record
-- A record that cannot be decoded: kept byte for byte, once per place, and announced on the
-- dead-letter topic.
WITH buried AS (
    INSERT INTO dead_letters (id, channel, reason, topic, partition, "offset", key, value, headers)
    VALUES (@id, @channel, @reason, @topic, @partition, @offset, @key, @value, @headers)
    ON CONFLICT (topic, partition, "offset") WHERE notification_id IS NULL DO NOTHING
    RETURNING id
), published AS (
    INSERT INTO outbox (topic, messages, ids)
    SELECT @channel || '.dlq',
        jsonb_build_array(jsonb_build_array(jsonb_build_object('base64', encode(@key, 'base64')),
            encode(@value, 'base64'), @published_headers::jsonb)),
        ARRAY[id]
    FROM buried RETURNING id, topic, messages
)
SELECT (SELECT {{entries}} FROM published) AS entries;

-- name: keep_records
-- Undecodable records as the dead-letter topic has them; those that are there already stay as they
-- are.
INSERT INTO dead_letters (id, channel, reason, topic, partition, "offset", key, value, headers,
    created_at)
SELECT id, channel, reason, topic, partition, "offset", key, value, headers::jsonb,
    coalesce(created_at, now())
FROM @records::records AS r(
    id uuid, channel text, reason text, topic text, partition integer, "offset" bigint,
    key bytea, value bytea, headers text, created_at timestamptz)
ON CONFLICT DO NOTHING
RETURNING id;

-- name: keep_failures
-- Failed deliveries as the dead-letter topic has them. One whose notification is
-- in a later chain was replayed.
INSERT INTO dead_letters (id, notification_id, tenant_id, channel, reason, attempts, chain, topic,
    partition, "offset", key, history, created_at, replayed_at)
SELECT f.id, f.notification_id, f.tenant_id, f.channel, f.reason, f.attempts, f.chain, f.topic,
    f.partition, f."offset", f.key, f.history::jsonb, coalesce(f.created_at, now()),
    CASE WHEN n.chain > f.chain THEN coalesce((
        SELECT min(t.at) FROM trace_steps t
        WHERE t.notification_id = n.id AND t.gate = 'replay'
            AND t.inputs ->> 'chain' = (f.chain + 1)::text), now()) END
FROM @failures::records AS f(
    id uuid, notification_id uuid, tenant_id uuid, channel text, reason text, attempts integer,
    chain integer, topic text, partition integer, "offset" bigint, key bytea, history text,
    created_at timestamptz)
LEFT JOIN notifications n ON n.id = f.notification_id
ON CONFLICT DO NOTHING
RETURNING id;

-- fragment: shown
-- What lists show of a dead letter: no bytes, no history.
d.id, d.notification_id, d.tenant_id, d.channel, d.reason, d.attempts, d.chain, d.topic,
d.partition, d."offset", d.created_at, d.replayed_at

-- fragment: matches
-- The filters of lists and replays. Each is optional.
(@tenant_id::uuid IS NULL OR d.tenant_id = @tenant_id)
    AND (@channel::text IS NULL OR d.channel = @channel)
    AND (@reason::text IS NULL OR position(lower(@reason) IN lower(d.reason)) > 0)
    AND (@notification_id::uuid IS NULL OR d.notification_id = @notification_id)
    AND (@template::text IS NULL OR EXISTS (
        SELECT FROM notifications n WHERE n.id = d.notification_id
            AND (n.template_name = @template OR n.template_id::text = @template)))
    AND (@since::timestamptz IS NULL OR d.created_at >= @since)
    AND (@until::timestamptz IS NULL OR d.created_at <= @until)
    AND (@replayed::boolean IS NULL OR (d.replayed_at IS NOT NULL) = @replayed)

-- fragment: is_lost
-- Whether the record was too large for Kafka, so that its bytes are gone.
headers @> '[["dlq.oversize"]]' AND octet_length(coalesce(value, '')) = 0

-- fragment: size
-- Bytes of the record.
octet_length(coalesce(key, '')) + octet_length(coalesce(value, '')) + octet_length(headers::text)

-- name: list
-- Newest first, without bytes; every filter is optional; the cursor is the last id seen.
SELECT {{shown}}
FROM dead_letters d
WHERE d.deleted_at IS NULL
    AND d.id < coalesce(@before::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
    AND {{matches}}
ORDER BY d.id DESC LIMIT @limit;

-- name: kinds
-- What a filter finds, by channel and reason, the most frequent first, and how many that is in all.
SELECT d.channel, d.reason, d.notification_id IS NULL AS undecodable, count(*) AS count,
    (sum(count(*)) OVER ())::bigint AS total
FROM dead_letters d
WHERE d.deleted_at IS NULL AND {{matches}}
GROUP BY 1, 2, 3 ORDER BY count DESC, 1, 2 LIMIT @limit;

-- name: next
-- The same, oldest first after an id: what a replay takes next.
SELECT d.id, d.notification_id, d.chain
FROM dead_letters d
WHERE d.deleted_at IS NULL
    AND d.id > coalesce(@after::uuid, '00000000-0000-0000-0000-000000000000')
    AND {{matches}}
ORDER BY d.id LIMIT @limit;

-- name: get
-- With its bytes, and the calls of its own chain and of those before.
SELECT d.*, (
    SELECT jsonb_agg(a.call || jsonb_build_object('chain', e.chain) ORDER BY e.chain, a.n)
    FROM dead_letters e, jsonb_array_elements(e.history) WITH ORDINALITY AS a(call, n)
    WHERE e.notification_id = d.notification_id AND e.chain <= d.chain
) AS calls, (
    SELECT n.status FROM notifications n WHERE n.id = d.notification_id) AS notification_status
FROM dead_letters d WHERE d.id = @id AND d.deleted_at IS NULL;

-- name: over_time
-- How many were buried by channel and span of @every since @since; a span without any has no row.
SELECT channel, date_bin(@every::interval, created_at, @since::timestamptz) AS at, count(*) AS count
FROM dead_letters
WHERE created_at >= @since::timestamptz AND deleted_at IS NULL
    AND (@channel::text IS NULL OR channel = @channel)
GROUP BY 1, 2;

-- name: prospects
-- Those that are there, newest first, and what decides whether a replay could queue them.
SELECT {{shown}}, n.status AS notification_status,
    {{is_lost}} AS lost, {{size}} AS size
FROM dead_letters d LEFT JOIN notifications n ON n.id = d.notification_id
WHERE d.id = ANY (@ids::uuid[]) AND d.deleted_at IS NULL ORDER BY d.id DESC;

-- name: references
-- Notification and chain of those that are there.
SELECT id, notification_id, chain FROM dead_letters
WHERE id = ANY (@ids::uuid[]) AND deleted_at IS NULL ORDER BY id;

-- name: replay_records
-- Undecodable records back to the topic that they came from, once each, as they were. Those under
-- another prefix, without their bytes or with more than @largest of them stay.
WITH due AS (
    SELECT id FROM dead_letters
    WHERE id = ANY (@ids::uuid[]) AND notification_id IS NULL AND replayed_at IS NULL
        AND deleted_at IS NULL
        AND starts_with(topic, @prefix::text || '.')
        AND NOT ({{is_lost}})
        AND {{size}} <= @largest
    ORDER BY id FOR UPDATE
), marked AS (
    UPDATE dead_letters d SET replayed_at = now()
    FROM due WHERE d.id = due.id AND d.replayed_at IS NULL
    RETURNING d.id, d.topic, d.key, d.value, d.headers
), queued AS (
    INSERT INTO outbox (topic, messages, ids)
    SELECT substr(topic, length(@prefix) + 2),
        jsonb_build_array(jsonb_build_array(jsonb_build_object('base64', encode(key, 'base64')),
            encode(value, 'base64'), headers)),
        ARRAY[id]
    FROM marked
    RETURNING id, topic, messages
)
SELECT ARRAY(SELECT id FROM marked) AS replayed,
    (SELECT {{entries}} FROM queued) AS entries;

-- name: mark_replayed
-- Those whose notification is in a later chain already, and records that were produced again from
-- Kafka.
UPDATE dead_letters d SET replayed_at = now()
WHERE d.id = ANY (@ids::uuid[]) AND d.replayed_at IS NULL AND d.deleted_at IS NULL
    AND (d.notification_id IS NULL
        OR d.chain < (SELECT n.chain FROM notifications n WHERE n.id = d.notification_id))
RETURNING d.id;

-- name: delete
-- The row stays, so that reading the topic again does not bring the entry back.
UPDATE dead_letters
SET deleted_at = now(), key = NULL, value = NULL, headers = '[]', history = '[]'
WHERE id = ANY (@ids::uuid[]) AND deleted_at IS NULL
RETURNING id;

-- name: clock
SELECT now() AS now;
