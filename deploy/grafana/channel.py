"""The dashboard Channel: one channel with its lanes, gates and providers."""

from panels import dashboard, graph, per_second, quantile, stat, variable

DELIVERED = '{channel="$channel", status="delivered"}'
ENDED = '{channel="$channel", status=~"delivered|failed"}'
ONE = '{channel="$channel"}'
ROWS = (
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
                about="Of those that were delivered or given up.",
            ),
            stat(
                "Oldest waits",
                f"max(notistream_queue_oldest_seconds{ONE})",
                unit="s",
                warn=60,
                bad=600,
                about="Runbook QueueOld.",
            ),
            stat(
                "Behind",
                f"sum(max by (priority) (notistream_consumer_lag_records{ONE}))",
                warn=1000,
                bad=10000,
                about=(
                    "Records on Kafka that no worker has acknowledged. Runbook ConsumerLagGrows."
                ),
            ),
            stat(
                "Dead letters",
                f"max(notistream_dead_letters{ONE})",
                warn=1,
                bad=100,
                about="Neither replayed nor deleted. Runbook DeadLettersGrowing.",
            ),
            stat(
                "Lanes stopped",
                f"sum(notistream_lane_stopped{ONE})",
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
                ("{{status}}", per_second("notistream_finished_total", "status", where=ONE)),
                unit="cps",
                about="Claimed deliveries per second, by the status that they led to.",
            ),
            graph(
                "Oldest by priority",
                ("{{priority}}", f"max by (priority) (notistream_queue_oldest_seconds{ONE})"),
                unit="s",
                about="Age of the oldest that waits for delivery.",
            ),
            graph(
                "Stopped by a gate",
                (
                    "{{gate}}: {{status}}",
                    per_second("notistream_gate_stops_total", "gate", "status", where=ONE),
                ),
                unit="cps",
                about=(
                    "Claimed, but not sent: who said so, and what they became. docs/delivery.md."
                ),
            ),
        ],
    ),
    (
        7,
        [
            graph(
                "In flight",
                ("{{priority}}", f"sum by (priority) (notistream_lane_in_flight{ONE})"),
                about=(
                    "Being claimed or delivered, all workers; each lane of a worker has"
                    " WORKER_CONCURRENCY."
                ),
            ),
            graph(
                "In the lanes",
                ("{{priority}}", f"sum by (priority) (notistream_lane_waiting{ONE})"),
                about="Taken from Kafka, waiting for room, order, a token or a breaker.",
            ),
            graph(
                "Claimed",
                ("{{priority}}", per_second("notistream_claimed_total", "priority", where=ONE)),
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
                    per_second("notistream_provider_calls_total", "provider", "outcome", where=ONE),
                ),
                unit="cps",
                about="receipt: taken. temporary, ambiguous: its trouble. permanent: refused.",
            ),
            graph(
                "Provider latency, p50 and p99",
                (
                    "{{provider}} p50",
                    quantile(0.5, "notistream_provider_call_seconds", "provider", where=ONE),
                ),
                (
                    "{{provider}} p99",
                    quantile(0.99, "notistream_provider_call_seconds", "provider", where=ONE),
                ),
                unit="s",
                about="Time that providers took to answer.",
            ),
            graph(
                "Tokens of the rate limit",
                (
                    "{{provider}} granted",
                    per_second("notistream_provider_tokens_granted_total", "provider", where=ONE),
                ),
                (
                    "{{provider}} short",
                    per_second("notistream_provider_tokens_short_total", "provider", where=ONE),
                ),
                (
                    "{{provider}} waiting",
                    f"sum by (provider) (notistream_provider_tokens_waiting{ONE})",
                ),
                about=(
                    "Short (asked for and not there) or waiting for long: the rate limit is the"
                    " brake."
                ),
            ),
            graph(
                "Breakers",
                ("{{provider}} {{instance}}", f"notistream_breaker_state{ONE}"),
                bad=2,
                about="0 closed, 1 half-open, 2 open. Runbook BreakerOpen.",
            ),
        ],
    ),
)
DASHBOARD = dashboard(
    "notistream-channel",
    "Channel",
    *ROWS,
    variables=[
        variable("channel", "label_values(notistream_claimed_total, channel)", label="Channel")
    ],
    about="One channel: its lanes, gates and providers.",
)
