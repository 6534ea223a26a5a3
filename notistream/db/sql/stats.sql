-- name: channels
SELECT channel, sum(sent)::bigint AS sent, sum(failed)::bigint AS failed,
    sum(latency_ms_sum)::double precision AS latency_ms_sum
FROM channel_totals WHERE tenant_id = @tenant_id GROUP BY channel;

-- name: ping
SELECT 1 AS ok;
