"""The dashboard Overview: whether all is well, and if not, where."""

from panels import alerts, dashboard, graph, logs, per_second, quantile, stat

LANE = "{{channel}}.{{priority}}"
CALL = "{{channel}}/{{provider}}"
API = '{route=~"/api/.*"}'
ROWS = (
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
                    "Records on Kafka that no worker has acknowledged. Runbook ConsumerLagGrows."
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
)
DASHBOARD = dashboard("notistream-overview", "Overview", *ROWS, about="Is all well? If not, where?")
