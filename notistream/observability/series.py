"""Series of the metrics that exist from the start, at zero: then a first failure is an increase."""

from collections.abc import Iterable

from prometheus_client import Counter, Gauge

from notistream.observability.metrics import (
    ACCEPTED,
    CALLBACKS_REFUSED,
    CLAIMED,
    DEAD_LETTERS,
    DEAD_LETTERS_READ,
    FINISHED,
    LAG,
    LANE_IN_FLIGHT,
    LANE_STOPPED,
    LANE_WAITING,
    LATE,
    PARKED,
    QUEUE_AGE,
    RECEIPTS,
    RETAINED,
    RETENTION_DELETED,
    SOCKET_FRAMES,
    SOCKETS,
    STREAMS,
    TASK_FAILURES,
    TASKS,
    UNDECODABLE,
    WEBHOOK_CALLS,
    WEBHOOK_REFUSED,
)

FIXED: tuple[tuple[Counter | Gauge, tuple[str, ...]], ...] = (
    (TASK_FAILURES, TASKS),
    (PARKED, ("lane",)),
    (LATE, ("yes", "no")),
    (SOCKETS, STREAMS),
    (SOCKET_FRAMES, STREAMS),
    (WEBHOOK_CALLS, ("delivered", "retrying", "failed")),
    (WEBHOOK_REFUSED, ("registration", "connect")),
    (RETENTION_DELETED, RETAINED),
)


def initialise(
    *, channels: Iterable[str], priorities: Iterable[str], statuses: Iterable[str]
) -> None:
    """Begin every series with known labels at zero, so that a first failure is an increase."""
    priorities, statuses = tuple(priorities), tuple(statuses)
    for channel in channels:
        UNDECODABLE.labels(channel)
        LANE_STOPPED.labels(channel)
        DEAD_LETTERS.labels(channel)
        for found in ("known", "restored", "foreign"):
            DEAD_LETTERS_READ.labels(channel, found)
        for priority in priorities:
            for metric in (ACCEPTED, CLAIMED, LANE_IN_FLIGHT, LANE_WAITING, LAG, QUEUE_AGE):
                metric.labels(channel, priority)
        for status in statuses:
            FINISHED.labels(channel, status)
    for counted, values in FIXED:
        for value in values:
            counted.labels(value)


def initialise_receipts(providers: Iterable[str], states: Iterable[str]) -> None:
    """The same for providers that receive callbacks."""
    states = tuple(states)
    for provider in providers:
        CALLBACKS_REFUSED.labels(provider)
        for state in states:
            for effect in ("applied", "outweighed", "early", "unknown"):
                RECEIPTS.labels(provider, state, effect)
