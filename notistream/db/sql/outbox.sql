-- name: delete
DELETE FROM outbox WHERE id = ANY ($1::bigint[]);

-- name: take_leftovers
-- Entries whose publisher did not delete them in time; taking one hides it from the others for 10 s.
WITH taken AS (
    SELECT id FROM outbox WHERE publish_after <= now() ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED
)
UPDATE outbox o SET publish_after = now() + interval '10 seconds'
FROM taken WHERE o.id = taken.id
RETURNING o.id, o.topic, o.messages;

-- name: bury_record
-- A record that cannot be decoded: kept byte for byte, and announced on the dead-letter topic.
WITH buried AS (
    INSERT INTO dead_letters (id, channel, reason, topic, partition, "offset", key, value, headers)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    ON CONFLICT (topic, partition, "offset") WHERE value IS NOT NULL DO NOTHING
    RETURNING id
), published AS (
    INSERT INTO outbox (topic, messages, ids)
    SELECT $2 || '.dlq', jsonb_build_array(jsonb_build_array(jsonb_build_object('base64', encode($7, 'base64')),
            encode($8, 'base64'), $10::jsonb)),
        ARRAY[id]
    FROM buried RETURNING id, topic, messages
)
SELECT (SELECT jsonb_agg(jsonb_build_array(id, topic, messages)) FROM published) AS entries;

-- name: backlog
SELECT count(*) AS entries, coalesce(extract(epoch FROM now() - min(created_at)), 0)::double precision AS oldest_s
FROM outbox;
