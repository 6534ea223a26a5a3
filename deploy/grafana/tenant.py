"""The dashboard Tenant, from PostgreSQL: there may be too many tenants for labels in Prometheus."""

from panels import POSTGRES, dashboard, sql, variable

TOTALS = "FROM dashboards.totals('$tenant', $__timeFrom(), $__timeTo())"
ROWS = (
    (
        4,
        [
            sql(
                "stat",
                "Delivered",
                f"SELECT coalesce(sum(sent), 0) AS delivered {TOTALS}",
                about="In the hours of the chosen time.",
            ),
            sql(
                "stat",
                "Failed",
                f"SELECT coalesce(sum(failed), 0) AS failed {TOTALS}",
                about="In the hours of the chosen time.",
            ),
            sql(
                "stat",
                "Delivered of ended",
                f"SELECT sum(sent)::float / nullif(sum(sent + failed), 0) AS share {TOTALS}",
                unit="percentunit",
                about="Of those that were delivered or given up.",
            ),
            sql(
                "stat",
                "Mean latency",
                f"SELECT sum(latency_ms_sum) / nullif(sum(sent), 0) AS latency {TOTALS}",
                unit="ms",
                about="From acceptance to delivery; a wait that was asked for counts too.",
            ),
        ],
    ),
    (
        8,
        [
            sql(
                "timeseries",
                "Delivered",
                f"SELECT hour AS time, channel AS metric, sent AS value {TOTALS}",
                about="Per hour and channel.",
            ),
            sql(
                "timeseries",
                "Failed",
                f"SELECT hour AS time, channel AS metric, failed AS value {TOTALS}",
                about="Per hour and channel.",
            ),
        ],
    ),
    (
        7,
        [
            sql(
                "table",
                "Waits for its time",
                "SELECT * FROM dashboards.waiting('$tenant')",
                about="Scheduled, retrying, deferred: how many, and when the first is due.",
            ),
            sql(
                "table",
                "Waits for room in its lane",
                "SELECT * FROM dashboards.held('$tenant')",
                about=(
                    "Held in the outbox while the lane is full; let in by turns with the other"
                    " tenants'."
                ),
            ),
            sql(
                "table",
                "Dead letters by reason",
                "SELECT * FROM dashboards.dead_letters('$tenant')",
                about=(
                    "Neither replayed nor deleted; reasons are shortened. `notistream dlq list`"
                    " has them in full."
                ),
            ),
            sql(
                "table",
                "Busiest tenants",
                "SELECT * FROM dashboards.busiest($__timeFrom(), $__timeTo())",
                about="All tenants, in the hours of the chosen time.",
            ),
        ],
    ),
)
DASHBOARD = dashboard(
    "notistream-tenant",
    "Tenant",
    *ROWS,
    variables=[
        variable(
            "tenant",
            "SELECT name AS __text, id::text AS __value FROM dashboards.tenants()",
            label="Tenant",
            source=POSTGRES,
        )
    ],
    about="One tenant, from PostgreSQL by a role that can read nothing but these sums.",
    since="now-24h",
    refresh="1m",
)
