-- The role with which Grafana reads PostgreSQL. Run by psql as the owner of the tables, after the migrations; repeatable.
-- Whoever sees a dashboard can send its data source any statement, so the role may read no table at all: only call these
-- functions, which return sums and no personal data. (Functions with text bodies, not views: migrations stay free to
-- change the tables below them.)
\set ON_ERROR_STOP on
\getenv password DASHBOARDS_PASSWORD
\if :{?password}
\else
  DO $$ BEGIN RAISE 'DASHBOARDS_PASSWORD is not set'; END $$;
\endif

SELECT 'CREATE ROLE notistream_dashboards' WHERE to_regrole('notistream_dashboards') IS NULL \gexec
ALTER ROLE notistream_dashboards LOGIN CONNECTION LIMIT 10 PASSWORD :'password';
ALTER ROLE notistream_dashboards SET statement_timeout = '5s';
ALTER ROLE notistream_dashboards SET default_transaction_read_only = on;

BEGIN;
SET LOCAL client_min_messages = warning;
DROP SCHEMA IF EXISTS dashboards CASCADE;
CREATE SCHEMA dashboards;

CREATE FUNCTION dashboards.tenants() RETURNS TABLE (id uuid, name text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public
    AS 'SELECT id, name FROM tenants ORDER BY name';

CREATE FUNCTION dashboards.totals(tenant uuid, since timestamptz, until timestamptz)
    RETURNS TABLE (hour timestamptz, channel text, sent bigint, failed bigint, latency_ms_sum double precision)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public
    AS $$
        SELECT hour, channel, sent, failed, latency_ms_sum FROM channel_totals
        WHERE tenant_id = tenant AND hour BETWEEN date_trunc('hour', since) AND until
        ORDER BY hour, channel
    $$;

CREATE FUNCTION dashboards.busiest(since timestamptz, until timestamptz)
    RETURNS TABLE (tenant text, sent bigint, failed bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public
    AS $$
        SELECT name, sum(sent)::bigint, sum(failed)::bigint
        FROM channel_totals JOIN tenants ON tenants.id = tenant_id
        WHERE hour BETWEEN date_trunc('hour', since) AND until
        GROUP BY name ORDER BY sum(sent + failed) DESC LIMIT 20
    $$;

-- What waits for its time: scheduled, retrying, deferred.
CREATE FUNCTION dashboards.waiting(tenant uuid)
    RETURNS TABLE (channel text, status text, notifications bigint, next_due timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public
    AS $$
        SELECT channel, status, count(*), min(due_at) FROM notifications
        WHERE tenant_id = tenant AND due_at IS NOT NULL GROUP BY channel, status ORDER BY channel, status
    $$;

-- What waits until its lane has room.
CREATE FUNCTION dashboards.held(tenant uuid) RETURNS TABLE (lane text, notifications bigint, since timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public
    AS $$
        SELECT topic, sum(cardinality(ids))::bigint, min(created_at) FROM outbox
        WHERE held AND tenant_id = tenant GROUP BY topic ORDER BY topic
    $$;

CREATE FUNCTION dashboards.dead_letters(tenant uuid)
    RETURNS TABLE (channel text, reason text, dead_letters bigint, last timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public
    AS $$
        SELECT channel, substring(reason FROM '^[^:@+"'']{0,60}'), count(*), max(created_at) FROM dead_letters
        WHERE tenant_id = tenant AND deleted_at IS NULL AND replayed_at IS NULL
        GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 20
    $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA dashboards FROM PUBLIC;
GRANT USAGE ON SCHEMA dashboards TO notistream_dashboards;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA dashboards TO notistream_dashboards;
COMMIT;
