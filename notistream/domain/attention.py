"""What needs an operator's attention, worst first: words for the console and `notistream top`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

OUTBOX_S = 30.0
LATE_S = 30.0
WEBHOOKS_S = 300.0
OLDEST_S: Mapping[str, float] = {"high": 60.0, "normal": 600.0, "low": 3600.0}
"""By priority: how long the oldest of a lane may have waited."""
AUDITS_LATE = 2.0
"""After how many intervals an audit is missed."""


class Level(IntEnum):
    """How bad it is; the worst is the least."""

    CRITICAL = 0
    WARNING = 1
    NOTE = 2


@dataclass(frozen=True, slots=True)
class Concern:
    """One thing to look at: what it is, and the runbook of it, where there is one."""

    level: Level
    text: str
    runbook: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What is known of an installation.

    What nobody asked for is left at its default, and raises no concern.
    """

    silent: Sequence[str] = ()
    """What was asked and did not answer."""
    workers: int | None = None
    """None: not counted."""
    breakers: Mapping[str, str] = field(default_factory=dict)
    """State by channel/provider, of those that are not closed."""
    dead_letters: Mapping[str, int] = field(default_factory=dict)
    stalled: int = 0
    audit_missing: int = 0
    audit_overdue: int = 0
    audit_age: float | None = None
    """In intervals between audits; None: not known."""
    outbox_oldest_s: float = 0.0
    late_s: float = 0.0
    oldest_s: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """By channel and priority."""
    webhooks_late_s: float = 0.0
    pauses: Sequence[str] = ()


def concerns(of: Situation) -> Sequence[Concern]:
    """What needs attention now, the worst first."""
    return sorted(
        (*_standing_still(of), *_going_wrong(of), *_held_back(of)),
        key=lambda concern: concern.level,
    )


def _standing_still(of: Situation) -> Iterator[Concern]:
    for who in of.silent:
        yield Concern(Level.CRITICAL, f"{who} does not answer", "NotReady")
    if of.workers == 0:
        yield Concern(Level.CRITICAL, "no worker runs: nothing is delivered", "NoWorkers")
    if of.stalled:
        yield Concern(Level.CRITICAL, f"{of.stalled} partitions stand still", "PartitionStalled")
    if of.outbox_oldest_s > OUTBOX_S:
        yield Concern(
            Level.CRITICAL, f"the outbox is {of.outbox_oldest_s:.0f} s behind", "OutboxStuck"
        )
    if of.late_s > LATE_S:
        yield Concern(Level.CRITICAL, f"the scheduler is {of.late_s:.0f} s late", "SchedulerLate")
    for (channel, priority), waited in of.oldest_s.items():
        if waited > OLDEST_S.get(priority, 0.0):
            yield Concern(
                Level.CRITICAL,
                f"the oldest of {channel}.{priority} has waited {waited:.0f} s",
                "QueueOld",
            )


def _going_wrong(of: Situation) -> Iterator[Concern]:
    if of.audit_missing:
        yield Concern(
            Level.CRITICAL, f"the audit misses {of.audit_missing}: notistream audit", "AuditMissing"
        )
    if of.audit_age is not None and of.audit_age > AUDITS_LATE:
        yield Concern(Level.WARNING, "no audit was finished in time", "AuditNotRun")
    if of.audit_overdue:
        yield Concern(
            Level.WARNING,
            f"the audit found {of.audit_overdue} that wait past their time",
            "AuditOverdue",
        )
    for place, state in of.breakers.items():
        yield Concern(Level.WARNING, f"breaker {place} is {state}", "BreakerOpen")
    for channel, count in of.dead_letters.items():
        letters = "dead letter" if count == 1 else "dead letters"
        yield Concern(Level.WARNING, f"{count} {letters} of {channel}", "DeadLettersGrowing")
    if of.webhooks_late_s > WEBHOOKS_S:
        yield Concern(
            Level.WARNING, f"webhooks are {of.webhooks_late_s:.0f} s late", "WebhooksLate"
        )


def _held_back(of: Situation) -> Iterator[Concern]:
    for place in of.pauses:
        yield Concern(Level.NOTE, f"{place} is paused")
