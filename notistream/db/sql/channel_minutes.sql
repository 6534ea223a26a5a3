-- name: sample
-- Notes the totals of the running hour for the running minute, by channel. The first sample after a
-- pause also notes them for the minute before, as what the next ones are compared with; the first
-- of an hour completes the last one.
WITH now_is AS (
    SELECT date_trunc('hour', now()) AS hour, date_trunc('minute', now()) AS minute
), wanted AS (
    SELECT hour, minute, true AS moves FROM now_is
    UNION ALL
    SELECT hour, minute - interval '1 minute', false FROM now_is WHERE minute > hour
    UNION ALL
    SELECT hour - interval '1 hour', hour - interval '1 minute', true FROM now_is
    WHERE minute = hour
), totals AS (
    SELECT c.channel, w.minute, w.moves, coalesce(sum(t.sent), 0)::bigint AS sent,
        coalesce(sum(t.failed), 0)::bigint AS failed,
        coalesce(sum(t.latency_ms_sum), 0) AS latency_ms_sum
    FROM wanted w CROSS JOIN unnest(@channels::text[]) AS c(channel)
    LEFT JOIN channel_totals t ON t.hour = w.hour AND t.channel = c.channel
    WHERE w.moves OR NOT EXISTS (
        SELECT FROM channel_minutes m WHERE m.channel = c.channel AND m.minute = w.minute)
    GROUP BY c.channel, w.minute, w.moves
)
INSERT INTO channel_minutes AS m (channel, minute, sent, failed, latency_ms_sum)
SELECT channel, minute, sent, failed, latency_ms_sum FROM totals ORDER BY channel, minute
ON CONFLICT (channel, minute) DO UPDATE
    SET sent = excluded.sent, failed = excluded.failed, latency_ms_sum = excluded.latency_ms_sum
    WHERE m.sent + m.failed < excluded.sent + excluded.failed;

-- name: forget
DELETE FROM channel_minutes WHERE minute < now() - interval '2 days';

-- name: series
-- Deliveries by channel and span of @every since @since; `minutes` of the span were measured, and a
-- span without any has no row.
SELECT channel, date_bin(@every::interval, minute, @since::timestamptz) AS at,
    sum(sent)::bigint AS sent, sum(failed)::bigint AS failed,
    sum(latency_ms_sum)::double precision AS latency_ms_sum, count(*) AS minutes
FROM (
    SELECT channel, minute,
        sent - CASE WHEN fresh THEN 0 WHEN follows THEN lag(sent) OVER earlier END AS sent,
        failed - CASE WHEN fresh THEN 0 WHEN follows THEN lag(failed) OVER earlier END AS failed,
        latency_ms_sum - CASE WHEN fresh THEN 0 WHEN follows
            THEN lag(latency_ms_sum) OVER earlier END AS latency_ms_sum
    FROM (
        SELECT *, minute = date_trunc('hour', minute) AS fresh,
            lag(minute) OVER (PARTITION BY channel ORDER BY minute)
                = minute - interval '1 minute' AS follows
        FROM channel_minutes WHERE minute >= @since::timestamptz - interval '1 minute'
    ) noted
    WINDOW earlier AS (PARTITION BY channel ORDER BY minute)
) gained
WHERE minute >= @since::timestamptz AND sent IS NOT NULL
GROUP BY channel, date_bin(@every::interval, minute, @since::timestamptz) ORDER BY channel, at;
