"""The state of the protocol model: rows and outbox in PostgreSQL, one partition on Kafka, what
workers hold.
"""

from typing import NamedTuple

Token = tuple[tuple[int, int], ...]
"""A lease: the (message, seq) pairs that one statement claimed."""

WAITING = ("scheduled", "retrying", "deferred")
TERMINAL = ("delivered", "failed", "cancelled", "suppressed", "expired")


class Attempt(NamedTuple):
    """A closed attempt, as its row says."""

    chain: int
    number: int
    outcome: str
    late: str | None = None


class Row(NamedTuple):
    """A notification in PostgreSQL.

    `due` is `later`, `now`, or None where it does not wait for its time.
    """

    status: str
    seq: int = 1
    chain: int = 1
    attempts: int = 0
    due: str | None = None
    token: Token | None = None
    reason: bool = False
    closed: tuple[Attempt, ...] = ()
    letters: tuple[int, ...] = ()
    """Chains that ended in the dead letters."""
    calls: tuple[tuple[int, int, int], ...] = ()
    """What only the model sees, per chain: calls that the provider took, and faults between a call
    and its record.
    """
    resolved: bool = False
    """Somebody said how it ended."""


class Entry(NamedTuple):
    """An outbox entry: for the lane, or for the timers.

    `by` publishes it; None: any worker may, it was left over.
    """

    message: int
    seq: int
    lane: bool
    by: int | None


class Record(NamedTuple):
    """A record of the lane's partition, from the committed offset on."""

    message: int
    seq: int
    acked: bool = False


class Held(NamedTuple):
    """A record in a worker's lane.

    `offset` counts from the committed one, -1: its partition was taken away.
    """

    worker: int
    message: int
    seq: int
    offset: int


class Delivery(NamedTuple):
    """A claimed delivery in a worker's memory: `claimed`, `checked` (about to call), then the
    provider's answer.
    """

    worker: int
    message: int
    token: Token
    chain: int
    number: int
    phase: str = "claimed"


class Lease(NamedTuple):
    """A row of `leases`."""

    token: Token
    worker: int


class Budget(NamedTuple):
    """What may still go wrong, or be asked for."""

    crashes: int = 0
    pauses: int = 0
    rebalances: int = 0
    losses: int = 0
    """Kafka forgets its records."""
    lost_leases: int = 0
    parks: int = 0
    gates: int = 0
    cancels: int = 0
    replays: int = 0
    reschedules: int = 0
    resolves: int = 0


class State(NamedTuple):
    """All of it. A worker is never down: a crash empties its memory, and it starts again."""

    budget: Budget
    rows: tuple[Row | None, ...]
    outbox: frozenset[Entry] = frozenset()
    log: tuple[Record, ...] = ()
    owner: int | None = None
    """Which worker has the partition."""
    position: int = 0
    """How far it has read, from the committed offset."""
    held: frozenset[Held] = frozenset()
    deliveries: frozenset[Delivery] = frozenset()
    leases: frozenset[Lease] = frozenset()
    timers: frozenset[tuple[int, int]] = frozenset()
    paused: frozenset[int] = frozenset()
    broken: str | None = None
    """The rule that the last step broke."""


class Step(NamedTuple):
    """An edge. `helps`: it needs no luck, no operator and nobody who may never come back."""

    name: str
    args: tuple[object, ...]
    helps: bool = True
