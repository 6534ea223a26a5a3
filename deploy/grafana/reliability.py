"""The dashboard Reliability: the promises, and the machinery that keeps them."""

from panels import dashboard, graph, lately, per_second, stat

LANE = "{{channel}}.{{priority}}"
ROWS = (
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
                    "To customers' webhook endpoints and to open WebSockets. Runbook WebhooksLate."
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
)
DASHBOARD = dashboard(
    "notistream-reliability",
    "Reliability",
    *ROWS,
    about="The promises (nothing lost, duplicates counted, nothing sticks), and the machinery"
    " that keeps them.",
    since="now-6h",
)
