-- name: keep
-- A repeated message changes nothing but how often it was tried, and what was answered last.
INSERT INTO sandbox_messages AS s (id, tenant_id, notification_id, key, channel, recipient,
    recipient_id, subject, content, html, headers, payload, outcome)
VALUES (@id, @tenant_id, @notification_id, @key, @channel, @recipient, @recipient_id, @subject,
    @content, @html, @headers, @payload, @outcome)
ON CONFLICT (tenant_id, key) DO UPDATE SET tries = s.tries + 1, outcome = excluded.outcome;

-- fragment: shown
-- A message as tenants see it.
id, notification_id, channel, recipient, recipient_id, subject, content, html, headers, payload,
outcome, tries, created_at

-- name: list
-- Newest first; @before is where the page before ended.
SELECT {{shown}}
FROM sandbox_messages
WHERE tenant_id = @tenant_id AND (@before::uuid IS NULL OR id < @before)
    AND (@recipient::text IS NULL OR recipient = @recipient)
    AND (@channel::text IS NULL OR channel = @channel)
ORDER BY id DESC LIMIT @limit;

-- name: get
SELECT {{shown}}
FROM sandbox_messages WHERE tenant_id = @tenant_id AND id = @id;

-- name: forget
-- What is a week old, and of each tenant all but the newest @kept; some at a time.
WITH old AS (
    SELECT id FROM (
        SELECT id, created_at, row_number() OVER (PARTITION BY tenant_id ORDER BY id DESC) AS nth
        FROM sandbox_messages
    ) m
    WHERE nth > @kept OR created_at < now() - interval '7 days' LIMIT 1000
), gone AS (
    DELETE FROM sandbox_messages s USING old WHERE s.id = old.id RETURNING 1
)
SELECT count(*) AS count FROM gone;
