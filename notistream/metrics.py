"""Every metric of NotiStream, in one registry; each label value that is known exists from the start at zero."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

HTTP_REQUESTS = Counter(
    "notistream_http_requests", "HTTP requests by route.", ["method", "route", "status"], registry=REGISTRY)
HTTP_SECONDS = Histogram(
    "notistream_http_request_seconds", "Time to answer, by route.", ["method", "route"], buckets=SECONDS,
    registry=REGISTRY)
ACCEPTED = Counter(
    "notistream_accepted", "Notifications accepted, after their commit.", ["channel", "priority"], registry=REGISTRY)
PUBLISHED = Counter("notistream_published", "Records that Kafka acknowledged.", registry=REGISTRY)
PUBLISH_FAILED = Counter(
    "notistream_publish_failed", "Outbox entries left for later, because Kafka did not take them.", registry=REGISTRY)
CLAIMED = Counter("notistream_claimed", "Deliveries claimed.", ["channel", "priority"], registry=REGISTRY)
CLAIM_MISSED = Counter(
    "notistream_claim_missed", "Wake-ups that found nothing to claim: stale, cancelled or repeated.", registry=REGISTRY)
FINISHED = Counter(
    "notistream_finished", "Claimed deliveries recorded, by the status they led to.", ["channel", "status"],
    registry=REGISTRY)
ENDINGS = Gauge(
    "notistream_deliveries_per_second", "Deliveries that ended so, per second, in this worker's last ten full seconds.",
    ["channel", "status"], registry=REGISTRY)
LATE = Counter(
    "notistream_finished_late", "Outcomes that came after the lease had ended.", ["accepted"], registry=REGISTRY)
DUPLICATES = Counter(
    "notistream_possible_duplicates", "Attempts whose outcome is unknown and that are sent again.", registry=REGISTRY)
PARKED = Counter(
    "notistream_parked", "Turns deferred before any claim, by the gate that said so.", ["gate"], registry=REGISTRY)
UNDECODABLE = Counter(
    "notistream_undecodable_records", "Records that could not be decoded and were buried.", ["channel"],
    registry=REGISTRY)
STOPPED = Counter(
    "notistream_gate_stops", "Claimed deliveries that a gate stopped, by the status they got.",
    ["channel", "gate", "status"], registry=REGISTRY)
BREAKER_STATE = Gauge(
    "notistream_breaker_state", "Circuit breakers: 0 closed, 1 half-open, 2 open.", ["channel", "provider"],
    registry=REGISTRY)
BREAKER_OPENED = Counter(
    "notistream_breaker_opened", "How often a circuit breaker opened.", ["channel", "provider"], registry=REGISTRY)
HELD_BACK = Counter(
    "notistream_outbox_held", "Records held back, because their lane was full, until it had room.", registry=REGISTRY)
LANE_STOPPED = Gauge(
    "notistream_lane_stopped", "Lanes of the channel that take nothing, because DLQ_LIMIT is used up.", ["channel"],
    registry=REGISTRY)
DEAD_LETTERS_READ = Counter(
    "notistream_dead_letters_read", "Records of dead-letter topics: known, restored into the table, or neither form.",
    ["channel", "found"], registry=REGISTRY)
DEAD_LETTERS_REPLAYED = Counter(
    "notistream_dead_letters_replayed", "Dead letters that were queued again.", registry=REGISTRY)
PROVIDER_SECONDS = Histogram(
    "notistream_provider_call_seconds", "Time of provider calls.", ["channel", "provider"], buckets=SECONDS,
    registry=REGISTRY)
PROVIDER_CALLS = Counter(
    "notistream_provider_calls", "Provider calls by outcome.", ["channel", "provider", "outcome"], registry=REGISTRY)
LANE_IN_FLIGHT = Gauge(
    "notistream_lane_in_flight", "Turns claimed or being claimed.", ["channel", "priority"], registry=REGISTRY)
LANE_WAITING = Gauge(
    "notistream_lane_waiting", "Turns held in a lane.", ["channel", "priority"], registry=REGISTRY)
OUTBOX_ENTRIES = Gauge("notistream_outbox_entries", "Outbox entries not yet published.", registry=REGISTRY)
OUTBOX_AGE = Gauge("notistream_outbox_oldest_seconds", "Age of the oldest outbox entry.", registry=REGISTRY)
QUEUED_DUE = Counter("notistream_queued_due", "Waiting notifications queued by the scheduler.", registry=REGISTRY)
LEASES_ENDED = Counter(
    "notistream_leases_ended", "Claimed deliveries whose lease ended without an outcome.", registry=REGISTRY)
RANGE_REPLAYED = Counter(
    "notistream_range_replayed", "Notifications queued again by replays of a time range.", registry=REGISTRY)
AUDIT_MISSING = Gauge(
    "notistream_audit_missing", "Notifications that nothing wakes and that the last audit did not repair.",
    registry=REGISTRY)
AUDIT_OVERDUE = Gauge(
    "notistream_audit_overdue", "Waiting notifications that were due two minutes before the last audit.",
    registry=REGISTRY)
AUDIT_SUCCESS = Gauge(
    "notistream_audit_last_success_timestamp_seconds", "When the last audit was finished, by any worker.",
    registry=REGISTRY)
AUDIT_REPAIRED = Counter(
    "notistream_audit_repaired", "Forgotten notifications that an audit has woken.", registry=REGISTRY)
RECEIPTS = Counter(
    "notistream_receipts", "Receipts of vendors: applied; outweighed by one before; early, before our own record; "
    "unknown, never matched.", ["provider", "state", "effect"], registry=REGISTRY)
CALLBACKS_REFUSED = Counter(
    "notistream_callbacks_refused", "Callbacks without a good signature.", ["provider"], registry=REGISTRY)
TASK_FAILURES = Counter(
    "notistream_task_failures", "Rounds of background tasks that failed.", ["task"], registry=REGISTRY)
TASKS = (
    "scheduler", "leases", "outbox", "idempotency", "gauges", "slot", "lanes", "audit", "replays", "release",
    "operators", "receipts",
)


def initialise(*, channels: Iterable[str], priorities: Iterable[str], statuses: Iterable[str]) -> None:
    """Make every series whose labels are known exist at zero, so that a first failure is an increase."""
    priorities, statuses = tuple(priorities), tuple(statuses)
    for channel in channels:
        UNDECODABLE.labels(channel)
        LANE_STOPPED.labels(channel)
        for found in ("known", "restored", "foreign"):
            DEAD_LETTERS_READ.labels(channel, found)
        for priority in priorities:
            for metric in (ACCEPTED, CLAIMED, LANE_IN_FLIGHT, LANE_WAITING):
                metric.labels(channel, priority)
        for status in statuses:
            FINISHED.labels(channel, status)
    for task in TASKS:
        TASK_FAILURES.labels(task)
    PARKED.labels("lane")
    for accepted in ("yes", "no"):
        LATE.labels(accepted)


def initialise_receipts(providers: Iterable[str], states: Iterable[str]) -> None:
    """The same for providers that receive callbacks."""
    states = tuple(states)
    for provider in providers:
        CALLBACKS_REFUSED.labels(provider)
        for state in states:
            for effect in ("applied", "outweighed", "early", "unknown"):
                RECEIPTS.labels(provider, state, effect)
