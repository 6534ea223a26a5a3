"""The source of the dashboards: `python deploy/grafana/dashboards.py` rewrites dashboards/.

Gauges of Kafka and the database, which every worker reports alike, are taken by max; counters are
summed.
"""

import json
from pathlib import Path
from typing import Any

from panels import (
    POSTGRES,
    alerts,
    dashboard,
    graph,
    lately,
    logs,
    per_second,
    quantile,
    sql,
    stat,
    variable,
)

FOLDER = Path(__file__).parent / "dashboards"
LANE = "{{channel}}.{{priority}}"
CALL = "{{channel}}/{{provider}}"
API = '{route=~"/api/.*"}'
DELIVERED = '{channel="$channel", status="delivered"}'
ENDED = '{channel="$channel", status=~"delivered|failed"}'


def overview() -> dict[str, Any]:
    """Is all well, and if not, where."""
    return dashboard(
        "notistream-overview",
        "Overview",
        (
            4,
            [
                stat(
                    "Accepted",
                    per_second("notistream_accepted_total"),
                    unit="cps",
                    about="Notifications taken from senders, per second.",
                ),
                stat(
                    "Delivered",
                    per_second("notistream_finished_total", where='{status="delivered"}'),
                    unit="cps",
                    about="Accepted by a provider, per second.",
                ),
                stat(
                    "Failed",
                    per_second("notistream_finished_total", where='{status="failed"}'),
                    unit="cps",
                    warn=0.1,
                    bad=1,
                    about="Given up, per second: each is a dead letter.",
                ),
                stat(
                    "Oldest waits",
                    "max(notistream_queue_oldest_seconds)",
                    unit="s",
                    warn=60,
                    bad=600,
                    about=(
                        "Age of the oldest notification that waits for delivery, over all lanes."
                        " Runbook QueueOld."
                    ),
                ),
                stat(
                    "Behind",
                    "sum(max by (channel, priority) (notistream_consumer_lag_records))",
                    warn=1000,
                    bad=10000,
                    about=(
                        "Records on Kafka that no worker has acknowledged. Runbook"
                        " ConsumerLagGrows."
                    ),
                ),
                stat(
                    "Dead letters",
                    "sum(max by (channel) (notistream_dead_letters))",
                    warn=1,
                    bad=100,
                    about="Neither replayed nor deleted. Runbook DeadLettersGrowing.",
                ),
                stat(
                    "Breakers not closed",
                    "sum(max by (channel, provider) (notistream_breaker_state) > bool 0)",
                    warn=1,
                    bad=2,
                    about=(
                        "Providers that a worker does not call, or only tries. Runbook BreakerOpen."
                    ),
                ),
                stat(
                    "Forgotten",
                    "max(notistream_audit_missing)",
                    bad=1,
                    about=(
                        "Accepted, but nothing wakes them, as the last audit found. Runbook"
                        " AuditMissing."
                    ),
                ),
            ],
        ),
        (
            7,
            [
                graph(
                    "Accepted",
                    ("{{channel}}", per_second("notistream_accepted_total", "channel")),
                    unit="cps",
                    stacked=True,
                    about="Per second, by channel.",
                ),
                graph(
                    "Ended as",
                    ("{{status}}", per_second("notistream_finished_total", "status")),
                    unit="cps",
                    about="Claimed deliveries per second, by the status that they led to.",
                ),
                graph(
                    "Oldest by lane",
                    (LANE, "max by (channel, priority) (notistream_queue_oldest_seconds)"),
                    unit="s",
                    about="High priority must stay low here, whatever else happens.",
                ),
            ],
        ),
        (
            7,
            [
                graph(
                    "HTTP requests",
                    ("{{status}}", per_second("notistream_http_requests_total", "status")),
                    (
                        "{{status}} {{route}}",
                        per_second(
                            "notistream_http_requests_total",
                            "status",
                            "route",
                            where='{status=~"5.."}',
                        ),
                    ),
                    unit="reqps",
                    about="Per second, by status; server errors by route too. Probes included.",
                ),
                graph(
                    "HTTP latency, p50 and p99",
                    ("p50", quantile(0.5, "notistream_http_request_seconds", where=API)),
                    ("p99", quantile(0.99, "notistream_http_request_seconds", where=API)),
                    unit="s",
                    about="Of the API's routes.",
                ),
                graph(
                    "Provider latency, p99",
                    (
                        CALL,
                        quantile(0.99, "notistream_provider_call_seconds", "channel", "provider"),
                    ),
                    unit="s",
                    about="Time that providers took to answer.",
                ),
            ],
        ),
        (
            7,
            [
                alerts("Firing alerts", about="Each has a page under docs/runbooks."),
                graph(
                    "Processes",
                    ("{{role}} {{instance}}", 'up{job="notistream"}'),
                    about="1: it answers Prometheus.",
                ),
                logs(
                    "Errors",
                    '{project="notistream", level="error"}',
                    about="A line's trace_id leads to its trace.",
                ),
            ],
        ),
        about="Is all well? If not, where?",
    )


def channel() -> dict[str, Any]:
    """One channel: its lanes, gates and providers."""
    one = '{channel="$channel"}'
    return dashboard(
        "notistream-channel",
        "Channel",
        (
            4,
            [
                stat(
                    "Delivered",
                    per_second("notistream_finished_total", where=DELIVERED),
                    unit="cps",
                    about="Accepted by a provider, per second.",
                ),
                stat(
                    "Delivered of ended",
                    f"{per_second('notistream_finished_total', where=DELIVERED)}"
                    f" / {per_second('notistream_finished_total', where=ENDED)}",
                    unit="percentunit",
                    warn=0.99,
                    bad=0.9,
                    low_is_bad=True,
                    about="Of those that were delivered or given up.",
                ),
                stat(
                    "Oldest waits",
                    f"max(notistream_queue_oldest_seconds{one})",
                    unit="s",
                    warn=60,
                    bad=600,
                    about="Runbook QueueOld.",
                ),
                stat(
                    "Behind",
                    f"sum(max by (priority) (notistream_consumer_lag_records{one}))",
                    warn=1000,
                    bad=10000,
                    about=(
                        "Records on Kafka that no worker has acknowledged. Runbook"
                        " ConsumerLagGrows."
                    ),
                ),
                stat(
                    "Dead letters",
                    f"max(notistream_dead_letters{one})",
                    warn=1,
                    bad=100,
                    about="Neither replayed nor deleted. Runbook DeadLettersGrowing.",
                ),
                stat(
                    "Lanes stopped",
                    f"sum(notistream_lane_stopped{one})",
                    bad=1,
                    about="They take nothing, because DLQ_LIMIT is used up. Runbook LaneStopped.",
                ),
            ],
        ),
        (
            7,
            [
                graph(
                    "Ended as",
                    ("{{status}}", per_second("notistream_finished_total", "status", where=one)),
                    unit="cps",
                    about="Claimed deliveries per second, by the status that they led to.",
                ),
                graph(
                    "Oldest by priority",
                    ("{{priority}}", f"max by (priority) (notistream_queue_oldest_seconds{one})"),
                    unit="s",
                    about="Age of the oldest that waits for delivery.",
                ),
                graph(
                    "Stopped by a gate",
                    (
                        "{{gate}}: {{status}}",
                        per_second("notistream_gate_stops_total", "gate", "status", where=one),
                    ),
                    unit="cps",
                    about=(
                        "Claimed, but not sent: who said so, and what they became."
                        " docs/delivery.md."
                    ),
                ),
            ],
        ),
        (
            7,
            [
                graph(
                    "In flight",
                    ("{{priority}}", f"sum by (priority) (notistream_lane_in_flight{one})"),
                    about=(
                        "Being claimed or delivered, all workers; each lane of a worker has"
                        " WORKER_CONCURRENCY."
                    ),
                ),
                graph(
                    "In the lanes",
                    ("{{priority}}", f"sum by (priority) (notistream_lane_waiting{one})"),
                    about="Taken from Kafka, waiting for room, order, a token or a breaker.",
                ),
                graph(
                    "Claimed",
                    ("{{priority}}", per_second("notistream_claimed_total", "priority", where=one)),
                    unit="cps",
                    about="Deliveries begun, per second.",
                ),
            ],
        ),
        (
            7,
            [
                graph(
                    "Provider calls",
                    (
                        "{{provider}}: {{outcome}}",
                        per_second(
                            "notistream_provider_calls_total", "provider", "outcome", where=one
                        ),
                    ),
                    unit="cps",
                    about="receipt: taken. temporary, ambiguous: its trouble. permanent: refused.",
                ),
                graph(
                    "Provider latency, p50 and p99",
                    (
                        "{{provider}} p50",
                        quantile(0.5, "notistream_provider_call_seconds", "provider", where=one),
                    ),
                    (
                        "{{provider}} p99",
                        quantile(0.99, "notistream_provider_call_seconds", "provider", where=one),
                    ),
                    unit="s",
                    about="Time that providers took to answer.",
                ),
                graph(
                    "Tokens of the rate limit",
                    (
                        "{{provider}} granted",
                        per_second(
                            "notistream_provider_tokens_granted_total", "provider", where=one
                        ),
                    ),
                    (
                        "{{provider}} short",
                        per_second("notistream_provider_tokens_short_total", "provider", where=one),
                    ),
                    (
                        "{{provider}} waiting",
                        f"sum by (provider) (notistream_provider_tokens_waiting{one})",
                    ),
                    about=(
                        "Short (asked for and not there) or waiting for long: the rate limit is the"
                        " brake."
                    ),
                ),
                graph(
                    "Breakers",
                    ("{{provider}} {{instance}}", f"notistream_breaker_state{one}"),
                    bad=2,
                    about="0 closed, 1 half-open, 2 open. Runbook BreakerOpen.",
                ),
            ],
        ),
        variables=[
            variable("channel", "label_values(notistream_claimed_total, channel)", label="Channel")
        ],
        about="One channel: its lanes, gates and providers.",
    )


def reliability() -> dict[str, Any]:
    """The promises, and the machinery that keeps them."""
    return dashboard(
        "notistream-reliability",
        "Reliability",
        (
            4,
            [
                stat(
                    "Forgotten",
                    "max(notistream_audit_missing)",
                    bad=1,
                    about="Runbook AuditMissing.",
                ),
                stat(
                    "Last audit",
                    "time() - max(notistream_audit_last_success_timestamp_seconds)",
                    unit="s",
                    warn=5400,
                    bad=7200,
                    about="How long ago. Runbook AuditNotRun.",
                ),
                stat(
                    "Possible duplicates, 24 h",
                    lately("notistream_possible_duplicates_total", span="1d"),
                    warn=1,
                    bad=100,
                    about=(
                        "Sent again: nobody knows whether the first call arrived. Runbook"
                        " PossibleDuplicates."
                    ),
                ),
                stat(
                    "Oldest in the outbox",
                    "max(notistream_outbox_oldest_seconds)",
                    unit="s",
                    warn=30,
                    bad=60,
                    about="Waits for Kafka, or for room in its lane. Runbook OutboxStuck.",
                ),
                stat(
                    "Scheduler is late",
                    "max(notistream_scheduler_lateness_seconds)",
                    unit="s",
                    warn=5,
                    bad=60,
                    about=(
                        "Since when the most overdue waiting notification was due. Runbook"
                        " SchedulerLate."
                    ),
                ),
                stat(
                    "Partitions stalled",
                    "sum(notistream_partitions_stalled)",
                    bad=1,
                    about="Runbook PartitionStalled.",
                ),
            ],
        ),
        (
            7,
            [
                graph(
                    "Outbox, entries",
                    ("entries", "max(notistream_outbox_entries)"),
                    about=(
                        "Not yet published; in a flood, those that wait for room in their lane too."
                    ),
                ),
                graph(
                    "Published to Kafka",
                    ("published", per_second("notistream_published_total")),
                    ("left for later", per_second("notistream_publish_failed_total")),
                    ("held back", per_second("notistream_outbox_held_total")),
                    unit="cps",
                    about="Records per second.",
                ),
                graph(
                    "Behind, by lane",
                    (LANE, "max by (channel, priority) (notistream_consumer_lag_records)"),
                    about="Records on Kafka that no worker has acknowledged.",
                ),
            ],
        ),
        (
            7,
            [
                graph(
                    "Uncertain ends",
                    ("leases ended", lately("notistream_leases_ended_total")),
                    (
                        "late, accepted {{accepted}}",
                        lately("notistream_finished_late_total", "accepted"),
                    ),
                    ("possible duplicates", lately("notistream_possible_duplicates_total")),
                    ("claims of nothing", lately("notistream_claim_missed_total")),
                    about=(
                        "In five minutes. Claims of nothing are stale or repeated wake-ups: the"
                        " fence at work."
                    ),
                ),
                graph(
                    "Dead letters",
                    ("{{channel}}", "max by (channel) (notistream_dead_letters)"),
                    (
                        "undecodable {{channel}}, 5 min",
                        lately("notistream_undecodable_records_total", "channel"),
                    ),
                    about="Neither replayed nor deleted; and records that could not be decoded.",
                ),
                graph(
                    "Background tasks that failed",
                    ("{{task}}", lately("notistream_task_failures_total", "task")),
                    about="Rounds in five minutes. Runbook TaskFailures.",
                ),
                graph(
                    "Events",
                    ("webhooks waiting", "max(notistream_webhook_waiting)"),
                    (
                        "webhooks {{outcome}}, 5 min",
                        lately("notistream_webhook_calls_total", "outcome"),
                    ),
                    ("sockets, {{stream}}", "sum by (stream) (notistream_websockets)"),
                    about=(
                        "To customers' webhook endpoints and to open WebSockets. Runbook"
                        " WebhooksLate."
                    ),
                ),
            ],
        ),
        (
            7,
            [
                graph(
                    "Event loop is late",
                    ("{{instance}}", "notistream_event_loop_lag_seconds"),
                    unit="s",
                    bad=0.25,
                    about="The worst of five seconds. Runbook EventLoopLag.",
                ),
                graph(
                    "CPU",
                    (
                        "{{instance}}",
                        'rate(process_cpu_seconds_total{job="notistream"}[$__rate_interval])',
                    ),
                    unit="percentunit",
                    about="Of one core; a process cannot use much more than one.",
                ),
                graph(
                    "Memory",
                    ("{{instance}}", 'process_resident_memory_bytes{job="notistream"}'),
                    unit="bytes",
                    about="Resident.",
                ),
                graph(
                    "Recovering, stalled, restarted",
                    ("recovering {{instance}}", "notistream_tables_recovering"),
                    ("stalled {{instance}}", "notistream_partitions_stalled"),
                    (
                        "starts {{instance}}, 1 h",
                        'changes(process_start_time_seconds{job="notistream"}[1h])',
                    ),
                    about=(
                        "Workers that read their tables back; partitions without progress;"
                        " processes that restart."
                    ),
                ),
            ],
        ),
        about=(
            "The promises (nothing lost, duplicates counted, nothing sticks), and the machinery"
            " that keeps them."
        ),
        since="now-6h",
    )


def tenant() -> dict[str, Any]:
    """One tenant, from PostgreSQL: there may be too many tenants for labels in Prometheus."""
    totals = "FROM dashboards.totals('$tenant', $__timeFrom(), $__timeTo())"
    return dashboard(
        "notistream-tenant",
        "Tenant",
        (
            4,
            [
                sql(
                    "stat",
                    "Delivered",
                    f"SELECT coalesce(sum(sent), 0) AS delivered {totals}",
                    about="In the hours of the chosen time.",
                ),
                sql(
                    "stat",
                    "Failed",
                    f"SELECT coalesce(sum(failed), 0) AS failed {totals}",
                    about="In the hours of the chosen time.",
                ),
                sql(
                    "stat",
                    "Delivered of ended",
                    f"SELECT sum(sent)::float / nullif(sum(sent + failed), 0) AS share {totals}",
                    unit="percentunit",
                    about="Of those that were delivered or given up.",
                ),
                sql(
                    "stat",
                    "Mean latency",
                    f"SELECT sum(latency_ms_sum) / nullif(sum(sent), 0) AS latency {totals}",
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
                    f"SELECT hour AS time, channel AS metric, sent AS value {totals}",
                    about="Per hour and channel.",
                ),
                sql(
                    "timeseries",
                    "Failed",
                    f"SELECT hour AS time, channel AS metric, failed AS value {totals}",
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


def files() -> dict[str, str]:
    """Every dashboard's file name and text."""
    built = {
        "overview": overview(),
        "channel": channel(),
        "reliability": reliability(),
        "tenant": tenant(),
    }
    return {
        f"{name}.json": json.dumps(value, indent=1, ensure_ascii=False) + "\n"
        for name, value in built.items()
    }


if __name__ == "__main__":
    for name, text in files().items():
        (FOLDER / name).write_text(text, "utf-8")
