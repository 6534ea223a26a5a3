-- name: replace
-- What one worker slot says of its breakers that are not closed.
WITH reported AS (
    SELECT * FROM @breakers::records AS t(
        channel text, provider text, state text, reason text, probe_in_s double precision)
), closed AS (
    DELETE FROM breakers b WHERE slot = @slot
        AND NOT EXISTS (SELECT FROM reported t WHERE t.channel = b.channel
            AND t.provider = b.provider)
)
INSERT INTO breakers AS b (slot, channel, provider, state, reason, probe_at)
SELECT @slot, channel, provider, state, reason, now() + probe_in_s * interval '1 second'
FROM reported
ON CONFLICT (slot, channel, provider) DO UPDATE
    SET state = excluded.state, reason = excluded.reason, probe_at = excluded.probe_at;

-- name: list
SELECT slot, channel, provider, state, reason, since, probe_at
FROM breakers ORDER BY channel, provider, slot;
