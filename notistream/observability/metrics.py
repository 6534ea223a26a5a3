"""Every metric of NotiStream, in one registry.

Each label value that is known exists from the start at zero.
"""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

HTTP_REQUESTS = Counter(
    "notistream_http_requests",
    "HTTP requests by route.",
    ["method", "route", "status"],
    registry=REGISTRY,
)
HTTP_SECONDS = Histogram(
    "notistream_http_request_seconds",
    "Time to answer, by route.",
    ["method", "route"],
    buckets=SECONDS,
    registry=REGISTRY,
)
REQUESTS_LIMITED = Counter(
    "notistream_api_rate_limited",
    "HTTP requests refused because their key had used up API_RATE_LIMIT.",
    registry=REGISTRY,
)
REQUESTS_UNMETERED = Counter(
    "notistream_api_rate_limit_unmetered",
    "HTTP requests let through uncounted, because PostgreSQL did not answer.",
    registry=REGISTRY,
)
KEYS_GUESSED = Counter(
    "notistream_api_guesses_locked_out",
    "Requests without a valid key from addresses that sent too many of them.",
    registry=REGISTRY,
)
ACCEPTED = Counter(
    "notistream_accepted",
    "Notifications accepted, after their commit.",
    ["channel", "priority"],
    registry=REGISTRY,
)
PUBLISHED = Counter("notistream_published", "Records that Kafka acknowledged.", registry=REGISTRY)
PUBLISH_FAILED = Counter(
    "notistream_publish_failed",
    "Outbox entries left for later, because Kafka did not take them.",
    registry=REGISTRY,
)
CLAIMED = Counter(
    "notistream_claimed", "Deliveries claimed.", ["channel", "priority"], registry=REGISTRY
)
CLAIM_MISSED = Counter(
    "notistream_claim_missed",
    "Wake-ups that found nothing to claim: stale, cancelled or repeated.",
    registry=REGISTRY,
)
FINISHED = Counter(
    "notistream_finished",
    "Claimed deliveries recorded, by the status they led to.",
    ["channel", "status"],
    registry=REGISTRY,
)
ENDINGS = Gauge(
    "notistream_deliveries_per_second",
    "Deliveries that ended so, per second, in this worker's last ten full seconds.",
    ["channel", "status"],
    registry=REGISTRY,
)
LATE = Counter(
    "notistream_finished_late",
    "Outcomes that came after the lease had ended.",
    ["accepted"],
    registry=REGISTRY,
)
DUPLICATES = Counter(
    "notistream_possible_duplicates",
    "Attempts whose outcome is unknown and that are sent again.",
    registry=REGISTRY,
)
PARKED = Counter(
    "notistream_parked",
    "Turns deferred before any claim, by the gate that said so.",
    ["gate"],
    registry=REGISTRY,
)
UNDECODABLE = Counter(
    "notistream_undecodable_records",
    "Records that could not be decoded and became dead letters.",
    ["channel"],
    registry=REGISTRY,
)
STOPPED = Counter(
    "notistream_gate_stops",
    "Claimed deliveries that a gate stopped, by the status they got.",
    ["channel", "gate", "status"],
    registry=REGISTRY,
)
BREAKER_STATE = Gauge(
    "notistream_breaker_state",
    "Circuit breakers: 0 closed, 1 half-open, 2 open.",
    ["channel", "provider"],
    registry=REGISTRY,
)
BREAKER_OPENED = Counter(
    "notistream_breaker_opened",
    "How often a circuit breaker opened.",
    ["channel", "provider"],
    registry=REGISTRY,
)
HELD_BACK = Counter(
    "notistream_outbox_held",
    "Records held back, because their lane was full, until it had room.",
    registry=REGISTRY,
)
LANE_STOPPED = Gauge(
    "notistream_lane_stopped",
    "Lanes of the channel that take nothing, because DLQ_LIMIT is used up.",
    ["channel"],
    registry=REGISTRY,
)
DEAD_LETTERS_READ = Counter(
    "notistream_dead_letters_read",
    "Records of dead-letter topics: known, restored into the table, or neither form.",
    ["channel", "found"],
    registry=REGISTRY,
)
DEAD_LETTERS_REPLAYED = Counter(
    "notistream_dead_letters_replayed", "Dead letters that were queued again.", registry=REGISTRY
)
PROVIDER_SECONDS = Histogram(
    "notistream_provider_call_seconds",
    "Time of provider calls.",
    ["channel", "provider"],
    buckets=SECONDS,
    registry=REGISTRY,
)
PROVIDER_CALLS = Counter(
    "notistream_provider_calls",
    "Provider calls by outcome.",
    ["channel", "provider", "outcome"],
    registry=REGISTRY,
)
LANE_IN_FLIGHT = Gauge(
    "notistream_lane_in_flight",
    "Turns claimed or being claimed.",
    ["channel", "priority"],
    registry=REGISTRY,
)
LANE_WAITING = Gauge(
    "notistream_lane_waiting", "Turns held in a lane.", ["channel", "priority"], registry=REGISTRY
)
OUTBOX_ENTRIES = Gauge(
    "notistream_outbox_entries", "Outbox entries not yet published.", registry=REGISTRY
)
OUTBOX_AGE = Gauge(
    "notistream_outbox_oldest_seconds", "Age of the oldest outbox entry.", registry=REGISTRY
)
QUEUED_DUE = Counter(
    "notistream_queued_due", "Waiting notifications queued by the scheduler.", registry=REGISTRY
)
LEASES_ENDED = Counter(
    "notistream_leases_ended",
    "Claimed deliveries whose lease ended without an outcome.",
    registry=REGISTRY,
)
RANGE_REPLAYED = Counter(
    "notistream_range_replayed",
    "Notifications queued again by replays of a time range.",
    registry=REGISTRY,
)
AUDIT_MISSING = Gauge(
    "notistream_audit_missing",
    "Notifications that nothing wakes and that the last audit did not repair.",
    registry=REGISTRY,
)
AUDIT_OVERDUE = Gauge(
    "notistream_audit_overdue",
    "Waiting notifications that were due two minutes before the last audit.",
    registry=REGISTRY,
)
AUDIT_SUCCESS = Gauge(
    "notistream_audit_last_success_timestamp_seconds",
    "When the last audit was finished, by any worker.",
    registry=REGISTRY,
)
AUDIT_REPAIRED = Counter(
    "notistream_audit_repaired",
    "Forgotten notifications that an audit has woken.",
    registry=REGISTRY,
)
LOG_SUPPRESSED = Counter(
    "notistream_log_lines_suppressed",
    "Lines that were not written, because their place logs too much.",
    ["logger"],
    registry=REGISTRY,
)
LAG = Gauge(
    "notistream_consumer_lag_records",
    "Records of a lane that nobody has acknowledged; each worker says the same.",
    ["channel", "priority"],
    registry=REGISTRY,
)
QUEUE_AGE = Gauge(
    "notistream_queue_oldest_seconds",
    "How long the oldest unacknowledged record of a lane has waited.",
    ["channel", "priority"],
    registry=REGISTRY,
)
DEAD_LETTERS = Gauge(
    "notistream_dead_letters",
    "Dead letters that are neither replayed nor deleted.",
    ["channel"],
    registry=REGISTRY,
)
SCHEDULER_LATENESS = Gauge(
    "notistream_scheduler_lateness_seconds",
    "How overdue the most overdue waiting notification is.",
    registry=REGISTRY,
)
TOKENS_WAITING = Gauge(
    "notistream_provider_tokens_waiting",
    "Calls of this worker that wait for a token of the provider's rate.",
    ["channel", "provider"],
    registry=REGISTRY,
)
TOKENS_GRANTED = Counter(
    "notistream_provider_tokens_granted",
    "Tokens of a provider's rate that this worker got.",
    ["channel", "provider"],
    registry=REGISTRY,
)
TOKENS_SHORT = Counter(
    "notistream_provider_tokens_short",
    "Requests for tokens that got less than they asked for.",
    ["channel", "provider"],
    registry=REGISTRY,
)
TABLES_RECOVERING = Gauge(
    "notistream_tables_recovering",
    "1 while the tables are being rebuilt from their changelogs.",
    registry=REGISTRY,
)
LOOP_LAG = Gauge(
    "notistream_event_loop_lag_seconds",
    "How late the event loop was at worst in the last seconds.",
    registry=REGISTRY,
)
LOOP_TASKS = Gauge(
    "notistream_event_loop_tasks",
    "Tasks of the event loop: what is being worked on, and what waits for something.",
    registry=REGISTRY,
)
STALLED = Gauge(
    "notistream_partitions_stalled",
    "Partitions of this worker with records and no progress, that wait for nothing.",
    registry=REGISTRY,
)
WATCHDOG_RESTARTS = Counter(
    "notistream_watchdog_restarts",
    "How often this process gave up because a partition was stalled.",
    registry=REGISTRY,
)
SOCKETS = Gauge("notistream_websockets", "Open WebSockets.", ["stream"], registry=REGISTRY)
SOCKET_FRAMES = Counter(
    "notistream_websocket_frames", "Frames sent to WebSockets.", ["stream"], registry=REGISTRY
)
SOCKETS_DROPPED = Counter(
    "notistream_websockets_dropped",
    "WebSockets closed because their client was too slow.",
    registry=REGISTRY,
)
EVENTS_LAG = Gauge(
    "notistream_events_lag",
    "Records of the topic `events` that this process has not yet read.",
    registry=REGISTRY,
)
INBOX_STORED = Counter("notistream_inbox_stored", "In-app messages stored.", registry=REGISTRY)
STREAMS = ("status", "inbox")
WEBHOOK_QUEUED = Counter(
    "notistream_webhook_queued",
    "Webhook deliveries queued: events times endpoints that want them.",
    registry=REGISTRY,
)
WEBHOOK_CALLS = Counter(
    "notistream_webhook_calls",
    "Webhook calls by what became of the delivery.",
    ["outcome"],
    registry=REGISTRY,
)
WEBHOOK_SECONDS = Histogram(
    "notistream_webhook_call_seconds",
    "Time of webhook calls.",
    buckets=(*SECONDS, 15),
    registry=REGISTRY,
)
WEBHOOK_REPEATED = Counter(
    "notistream_webhook_possible_duplicates",
    "Webhook calls repeated because nobody said how the one before ended.",
    registry=REGISTRY,
)
WEBHOOK_DISABLED = Counter(
    "notistream_webhook_endpoints_disabled",
    "Webhook endpoints switched off: gone, or failing for days.",
    registry=REGISTRY,
)
WEBHOOK_REFUSED = Counter(
    "notistream_webhook_addresses_refused",
    "Webhook URLs that led where no tenant may reach, by when it was noticed.",
    ["at"],
    registry=REGISTRY,
)
WEBHOOK_WAITING = Gauge(
    "notistream_webhook_waiting",
    "Webhook deliveries that wait for a call or its end.",
    registry=REGISTRY,
)
WEBHOOK_OVERDUE = Gauge(
    "notistream_webhook_oldest_due_seconds",
    "For how long the webhook delivery that is most overdue has been due.",
    registry=REGISTRY,
)
RECEIPTS = Counter(
    "notistream_receipts",
    "Receipts of vendors: applied; outweighed by one before; early, before our own record; "
    "unknown, never matched.",
    ["provider", "state", "effect"],
    registry=REGISTRY,
)
CALLBACKS_REFUSED = Counter(
    "notistream_callbacks_refused",
    "Callbacks without a good signature.",
    ["provider"],
    registry=REGISTRY,
)
RETENTION_DELETED = Counter(
    "notistream_retention_deleted_rows",
    "Rows deleted because they were older than their retention.",
    ["table"],
    registry=REGISTRY,
)
RETAINED = (
    "dead_letters",
    "notifications",
    "batches",
    "templates",
    "inbox_messages",
    "webhook_deliveries",
    "audit_log",
)
TASK_FAILURES = Counter(
    "notistream_task_failures",
    "Rounds of background tasks that failed.",
    ["task"],
    registry=REGISTRY,
)
TASKS = (
    "scheduler",
    "leases",
    "outbox",
    "idempotency",
    "gauges",
    "slot",
    "lanes",
    "audit",
    "replays",
    "release",
    "operators",
    "key_use",
    "webhooks",
    "webhook_gauges",
    "retention",
    "minutes",
    "minutes_retention",
    "receipts",
)
