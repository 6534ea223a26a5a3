-- name: replace
-- What one worker slot says of its breakers that are not closed.
WITH told AS (
    SELECT * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::double precision[])
    AS t(channel, provider, state, reason, probe_in)
), closed AS (
    DELETE FROM breakers b WHERE slot = $1
        AND NOT EXISTS (SELECT FROM told t WHERE t.channel = b.channel AND t.provider = b.provider)
)
INSERT INTO breakers AS b (slot, channel, provider, state, reason, probe_at)
SELECT $1, channel, provider, state, reason, now() + probe_in * interval '1 second' FROM told
ON CONFLICT (slot, channel, provider) DO UPDATE
    SET state = excluded.state, reason = excluded.reason, probe_at = excluded.probe_at;

-- name: list
SELECT slot, channel, provider, state, reason, since, probe_at FROM breakers ORDER BY channel, provider, slot;
