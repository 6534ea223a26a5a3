-- fragment: is_waiting
-- A notification that may still be cancelled or moved. With an alias: n.{{is_waiting}}.
status IN ('pending', 'scheduled', 'retrying', 'deferred')

-- fragment: is_delayed
-- A notification that waits for its time, which is due_at.
status IN ('scheduled', 'retrying', 'deferred')

-- fragment: has_ended
-- A notification that changes no more, unless it is replayed.
status IN ('delivered', 'failed', 'cancelled', 'suppressed', 'expired')

-- fragment: of_template
-- Filter for a template's name or id.
(@template::text IS NULL OR template_name = @template OR template_id::text = @template)

-- fragment: entries
-- Outbox entries as the relay publishes them after the commit.
jsonb_agg(jsonb_build_array(id, topic, messages) ORDER BY id)

-- fragment: queue_entry
-- Columns of an outbox entry that wakes notifications of one tenant and lane.
tenant_id, channel || '.' || priority,
jsonb_agg(wake_up(id, seq, tenant_id, recipient_id, recipient, traceparent, correlation_id)
    ORDER BY id),
array_agg(id ORDER BY id)

-- fragment: queue_changed
-- Leaves outbox entries for those of `changed` that are pending; a chunk of a lane in each.
INSERT INTO outbox (tenant_id, topic, messages, ids)
SELECT {{queue_entry}}
FROM (
    SELECT c.*, outbox_chunk(
        row_number() OVER (PARTITION BY tenant_id, channel, priority ORDER BY id)) AS chunk
    FROM changed c WHERE status = 'pending') c
GROUP BY tenant_id, channel, priority, chunk
RETURNING id, topic, messages

-- fragment: tell_changed
-- Leaves events of what `changed` holds for the tenants' streams and webhooks.
SELECT * FROM tell(ARRAY(SELECT tenant_id FROM changed), ARRAY(SELECT event FROM changed))

-- fragment: uncount_changed
-- What is not sent does not count against frequency caps.
DELETE FROM cap_uses u USING changed c WHERE u.notification_id = c.id

-- fragment: add_totals
-- Adds to the totals of the hour that are there.
ON CONFLICT (tenant_id, channel, hour) DO UPDATE
    SET sent = t.sent + excluded.sent, failed = t.failed + excluded.failed,
        latency_ms_sum = t.latency_ms_sum + excluded.latency_ms_sum

-- fragment: count_delivered
-- Adds the one notification in `changed` to the totals, as delivered.
INSERT INTO channel_totals AS t (tenant_id, channel, hour, sent, latency_ms_sum)
SELECT tenant_id, channel, date_trunc('hour', now()), 1,
    extract(epoch FROM sent_at - created_at) * 1000
FROM changed
ON CONFLICT (tenant_id, channel, hour) DO UPDATE
    SET sent = t.sent + 1, latency_ms_sum = t.latency_ms_sum + excluded.latency_ms_sum

-- fragment: past_calls
-- The provider calls among attempts `a`, as a dead letter's history has them.
jsonb_agg(jsonb_build_object('number', a.number, 'provider', a.provider, 'outcome', a.outcome,
    'error', a.error, 'started_at', a.started_at, 'duration_ms', a.duration_ms) ORDER BY a.number)

-- fragment: trace_headers
-- Kafka headers that tie a record to the request that it came from.
jsonb_strip_nulls(jsonb_build_object('traceparent', traceparent, 'correlation_id', correlation_id))

-- fragment: join_recipient
-- Recipient `r`, preferences `p` and devices `d` of notification `c`.
LEFT JOIN recipients r ON r.tenant_id = c.tenant_id AND r.id = c.recipient_id
LEFT JOIN preferences p ON p.tenant_id = c.tenant_id AND p.recipient_id = c.recipient_id
CROSS JOIN LATERAL devices_of(
    c.channel = 'push' AND c.recipient IS NULL, c.tenant_id, c.recipient_id, c.category) d

-- fragment: recipient_facts
-- What delivery needs to know of the recipient; with `join_recipient`.
r.email, r.phone, r.timezone, p.channels AS wishes, p.categories AS category_wishes,
d.tokens AS push_tokens,
coalesce(
    (SELECT min(s.why) FROM suppressions_of(c.tenant_id, c.channel, c.category,
        address_of(c.channel, c.recipient, c.recipient_id, r.email, r.phone)) s),
    CASE WHEN d.tokens IS NULL THEN d.suppressed END) AS suppressed
