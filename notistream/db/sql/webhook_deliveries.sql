-- name: listening
-- Which of these tenants have an active endpoint.
SELECT DISTINCT tenant_id FROM webhook_endpoints
WHERE tenant_id = ANY (@tenant_ids::uuid[]) AND is_active;

-- name: enqueue
-- One row for each event and endpoint that wants it, once. The lock keeps an endpoint from being
-- deleted meanwhile.
WITH wanted AS (
    SELECT webhook_id(e.at, e.id, p.id) AS id, p.tenant_id, p.id AS endpoint_id, e.id AS event_id,
        e.type, e.at, e.data
    FROM unnest(@events::text[]) AS line
    CROSS JOIN LATERAL jsonb_to_record(line::jsonb)
        AS e(tenant_id uuid, id uuid, type text, at timestamptz, data jsonb)
    JOIN webhook_endpoints p ON p.tenant_id = e.tenant_id
    WHERE p.is_active AND p.created_at <= e.at
        AND (cardinality(p.events) = 0 OR e.type = ANY (p.events))
    FOR KEY SHARE OF p
)
INSERT INTO webhook_deliveries (id, tenant_id, endpoint_id, event_id, type, at, data)
SELECT id, tenant_id, endpoint_id, event_id, type, at, data FROM wanted ORDER BY id
ON CONFLICT (id) DO NOTHING
RETURNING id;

-- name: enqueue_test
INSERT INTO webhook_deliveries (id, tenant_id, endpoint_id, event_id, type, at, data)
SELECT webhook_id(now(), @event_id::uuid, p.id), p.tenant_id, p.id, @event_id, @type::text, now(),
    @data::jsonb
FROM webhook_endpoints p WHERE p.tenant_id = @tenant_id AND p.id = @endpoint_id AND p.is_active
RETURNING *;

-- name: take
-- Claims up to @limit that are due. Endpoints are looked at one by one, one probe of the index each
-- and in any order, so a slow one with many rows keeps no other waiting; @calls says how
-- many calls each has in flight here. One that fails gets one call at a time, so that even many of
-- them leave room. A lease that is there was left behind: a possible duplicate. What an inactive
-- endpoint waits for stays until it is active again.
WITH RECURSIVE waiting AS (
    (SELECT endpoint_id FROM webhook_deliveries
     WHERE due_at IS NOT NULL ORDER BY endpoint_id LIMIT 1)
    UNION ALL
    SELECT n.endpoint_id FROM waiting w CROSS JOIN LATERAL (
        SELECT d.endpoint_id FROM webhook_deliveries d
        WHERE d.due_at IS NOT NULL AND d.endpoint_id > w.endpoint_id
        ORDER BY d.endpoint_id LIMIT 1) n
), rooms AS (
    SELECT p.id, CASE WHEN p.failing_since IS NULL THEN @per_endpoint::integer ELSE 1 END
        - coalesce(b.calls, 0) AS room
    FROM waiting w JOIN webhook_endpoints p ON p.id = w.endpoint_id
    LEFT JOIN @calls::records AS b(id uuid, calls integer) ON b.id = p.id
    WHERE p.is_active ORDER BY random()
), due AS (
    SELECT d.id, d.lease AS former FROM rooms r CROSS JOIN LATERAL (
        SELECT x.id, x.lease FROM webhook_deliveries x
        WHERE x.endpoint_id = r.id AND x.due_at <= now()
        ORDER BY x.due_at LIMIT greatest(r.room, 0) FOR UPDATE SKIP LOCKED) d
    LIMIT @limit::integer
)
UPDATE webhook_deliveries d
SET lease = @lease_token::uuid, due_at = now() + @lease::interval, attempts = d.attempts + 1
FROM webhook_endpoints p
WHERE d.id = ANY (ARRAY(SELECT id FROM due)) AND p.id = d.endpoint_id
RETURNING d.id, d.tenant_id, d.endpoint_id, d.event_id, d.type, d.at, d.data, d.attempts, p.url,
    p.secret, CASE WHEN p.old_secret_until > now() THEN p.old_secret END AS old_secret,
    p.failing_since, now() AS now,
    (SELECT due.former IS NOT NULL FROM due WHERE due.id = d.id) AS repeated;

-- name: finish
-- Records calls whose lease is still ours, and notes on their endpoints since when they fail;
-- seldom a change.
WITH ended AS (
    SELECT * FROM @calls::records AS e(
        id uuid, lease uuid, status text, delay_s float8, response_status integer, error text,
        call text) ORDER BY id
), recorded AS (
    UPDATE webhook_deliveries d
    SET status = e.status, lease = NULL, response_status = e.response_status, error = e.error,
        due_at = now() + make_interval(secs => e.delay_s),
        ended_at = CASE WHEN e.delay_s IS NULL THEN now() END,
        history = (CASE WHEN jsonb_array_length(d.history) < 20 THEN d.history
            ELSE d.history - 0 END) || e.call::jsonb
    FROM ended e WHERE d.id = e.id AND d.lease = e.lease
    RETURNING d.id, d.endpoint_id, d.status = 'delivered' AS ok
), noted AS (
    UPDATE webhook_endpoints p SET failing_since = CASE WHEN r.ok THEN NULL ELSE now() END
    FROM (SELECT endpoint_id, bool_or(ok) AS ok FROM recorded GROUP BY endpoint_id) r
    WHERE p.id = r.endpoint_id AND (p.failing_since IS NULL) <> r.ok
)
SELECT id FROM recorded;

-- name: list
-- Of one endpoint, newest first.
SELECT * FROM webhook_deliveries
WHERE tenant_id = @tenant_id
    AND (endpoint_id, id) < (@endpoint_id,
        coalesce(@before::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
    AND (endpoint_id, id) >= (@endpoint_id, '00000000-0000-0000-0000-000000000000')
    AND (@status::text IS NULL OR status = @status) AND (@type::text IS NULL OR type = @type)
ORDER BY endpoint_id DESC, id DESC LIMIT @limit;

-- name: list_failed
-- As `list`, in a form that can use the index of those that failed.
SELECT * FROM webhook_deliveries
WHERE tenant_id = @tenant_id AND endpoint_id = @endpoint_id AND status = 'failed'
    AND (@before::uuid IS NULL OR id < @before) AND (@type::text IS NULL OR type = @type)
ORDER BY endpoint_id DESC, id DESC LIMIT @limit;

-- name: list_pending
-- As `list`, by the index of what is still due.
SELECT * FROM webhook_deliveries
WHERE tenant_id = @tenant_id AND endpoint_id = @endpoint_id AND status = 'pending'
    AND due_at IS NOT NULL
    AND (@before::uuid IS NULL OR id < @before) AND (@type::text IS NULL OR type = @type)
ORDER BY endpoint_id DESC, id DESC LIMIT @limit;

-- name: get
SELECT * FROM webhook_deliveries
WHERE tenant_id = @tenant_id AND endpoint_id = @endpoint_id AND id = @id;

-- name: redeliver
-- Due now, as at first; one whose call is under way stays as it is.
UPDATE webhook_deliveries SET status = 'pending', attempts = 0, due_at = now(), ended_at = NULL
WHERE tenant_id = @tenant_id AND endpoint_id = @endpoint_id AND id = @id AND lease IS NULL
RETURNING id;

-- name: redeliver_range
-- Up to @limit that happened in a span of time and had ended, before this request, in that status.
WITH chosen AS (
    SELECT id FROM webhook_deliveries
    WHERE tenant_id = @tenant_id AND endpoint_id = @endpoint_id
        AND id >= first_id(@since::timestamptz) AND id < first_id(@until::timestamptz)
        AND status = ANY (@statuses::text[]) AND ended_at <= @ended_by::timestamptz
    ORDER BY id LIMIT @limit FOR UPDATE
)
UPDATE webhook_deliveries d SET status = 'pending', attempts = 0, due_at = now(), ended_at = NULL
FROM chosen WHERE d.id = chosen.id
RETURNING d.id;

-- name: moment
SELECT now() AS now;

-- name: backlog
-- Deliveries that wait, and for how many seconds the one has been due that has been for longest.
SELECT count(*) AS waiting,
    coalesce(extract(epoch FROM now() - min(d.due_at)), 0)::double precision AS oldest_s
FROM webhook_deliveries d JOIN webhook_endpoints p ON p.id = d.endpoint_id
WHERE d.due_at IS NOT NULL AND p.is_active;

-- name: erase
-- The recipient's id, reasons and errors, and what receivers said in answer to it. Counts and times
-- stay.
UPDATE webhook_deliveries
SET data = data - 'recipient_id' - 'reason', error = NULL,
    history = (SELECT coalesce(jsonb_agg(call - 'response' ORDER BY n), '[]')
               FROM jsonb_array_elements(history) WITH ORDINALITY AS h(call, n))
WHERE tenant_id = @tenant_id AND data->>'recipient_id' = @recipient_id AND data ? 'recipient_id'
RETURNING id;
