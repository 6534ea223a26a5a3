-- name: live
-- Worker slots whose locks are held: those of running workers, or of ones that PostgreSQL has not
-- yet missed.
SELECT objid::integer AS slot FROM pg_locks
WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND classid = @slots::integer::oid
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY slot;
