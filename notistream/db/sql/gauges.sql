-- name: dead_letters
SELECT channel, count(*) AS count FROM dead_letters
WHERE replayed_at IS NULL AND deleted_at IS NULL GROUP BY channel;

-- name: lateness
-- How overdue the most overdue waiting notification is, in seconds; one probe of the index per
-- lane.
SELECT coalesce(greatest(max(extract(epoch FROM now() - first.due_at)), 0), 0)::double precision
    AS seconds
FROM @lanes::records AS lane(channel text, priority text)
CROSS JOIN LATERAL (
    SELECT n.due_at FROM notifications n
    WHERE n.channel = lane.channel AND n.priority = lane.priority AND n.due_at IS NOT NULL
    ORDER BY n.due_at LIMIT 1) first;

-- name: outbox
-- Entries that are not published, by topic, and the age of the oldest of each in seconds.
SELECT topic, count(*) AS entries,
    extract(epoch FROM now() - min(created_at))::double precision AS oldest_s
FROM outbox GROUP BY topic;
