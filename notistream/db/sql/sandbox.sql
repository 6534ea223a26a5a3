-- name: keep
-- A repeated message changes nothing but how often it was tried, and what was answered last.
INSERT INTO sandbox_messages AS s (id, tenant_id, notification_id, key, channel, recipient, recipient_id, subject,
    content, html, headers, payload, outcome)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT (tenant_id, key) DO UPDATE SET tries = s.tries + 1, outcome = excluded.outcome;

-- name: list
-- Newest first; $2 is where the page before ended.
SELECT id, notification_id, channel, recipient, recipient_id, subject, content, html, headers, payload, outcome, tries,
    created_at
FROM sandbox_messages
WHERE tenant_id = $1 AND ($2::uuid IS NULL OR id < $2)
    AND ($3::text IS NULL OR recipient = $3) AND ($4::text IS NULL OR channel = $4)
ORDER BY id DESC LIMIT $5;

-- name: get
SELECT id, notification_id, channel, recipient, recipient_id, subject, content, html, headers, payload, outcome, tries,
    created_at
FROM sandbox_messages WHERE tenant_id = $1 AND id = $2;

-- name: forget
-- What is a week old, and of each tenant all but the newest $1; some at a time.
WITH old AS (
    SELECT id FROM (
        SELECT id, created_at, row_number() OVER (PARTITION BY tenant_id ORDER BY id DESC) AS nth FROM sandbox_messages
    ) m
    WHERE nth > $1 OR created_at < now() - interval '7 days' LIMIT 1000
), gone AS (
    DELETE FROM sandbox_messages s USING old WHERE s.id = old.id RETURNING 1
)
SELECT count(*) AS count FROM gone;
