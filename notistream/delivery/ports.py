"""Ports: what delivery needs from outside, and the values that cross the border."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from notistream.domain.notification import Claimed
from notistream.domain.outcome import Finish, ProviderResult
from notistream.domain.preference import FrequencyCap
from notistream.domain.rate_limit import Rate, Usage
from notistream.domain.template_text import TemplateVersion


@dataclass(frozen=True, slots=True)
class Turn:
    """A notification and the `seq` under which it was queued; a newer `seq` makes it stale."""

    id: UUID
    seq: int


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the record lay that brought a turn; `event` is its stream's own, for the tables."""

    topic: str
    partition: int
    offset: int
    key: bytes
    event: object = None
    traceparent: str | None = None
    """Of the record, where its trace is sampled."""
    since_ns: int | None = None
    """When it was read, nanoseconds since 1970, where its trace is sampled."""


@dataclass(frozen=True, slots=True)
class Parking:
    """A turn that may not go on now: for how many seconds, which gate said so, and why."""

    turn: Turn
    delay_s: float
    gate: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a provider sends: rendered, checked, addressed."""

    notification_id: UUID
    tenant_id: UUID
    channel: str
    recipient: str
    recipient_id: str | None = None
    subject: str | None
    content: str
    html: str | None = None
    """Of an e-mail: the same as `content`, as HTML."""
    payload: Mapping[str, Any] = field(default_factory=dict)
    """The sender's values for the template; an app may show them beside the text."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of an e-mail: header fields to add, such as List-Unsubscribe."""
    idempotency_key: str
    """Same key, same message: a provider that honours it never sends twice."""
    correlation_id: str | None = None
    traceparent: str | None = None


class Ledger(Protocol):
    """The durable record of who may deliver what. Every method waits for its commit.

    Raises:
        DatabaseUnavailable: nobody knows whether the step was committed; repeating it is safe.
    """

    async def claim(self, turn: Turn) -> Claimed | None:
        """None: stale, cancelled, or another worker's."""

    async def finish(self, claimed: Claimed, end: Finish, origin: Origin) -> None:
        """End a claimed delivery; where the lease was lost, the outcome is noted as late."""

    async def park(self, parking: Parking) -> None:
        """Defer a turn that was not claimed."""


class TemplateSources(Protocol):
    """Where the text of an accepted template version comes from."""

    async def source(self, claimed: Claimed) -> TemplateVersion | None:
        """The version, with its variants; None where it is gone."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """No provider of a channel can be called now: the gate, why, and for about how many seconds."""

    gate: str
    reason: str
    for_s: float


@dataclass(frozen=True, slots=True)
class TokenGrant:
    """Tokens of one slot of the database's clock; its begin and end count from the statement."""

    begins_in_s: float
    ends_in_s: float
    tokens: int


class Permit(Protocol):
    """The right to one provider call: a token, and a breaker that lets it through."""

    async def route(self, preferred: str | None) -> str | Blocked:
        """The provider to call now, `preferred` where that is possible.

        May wait about a second for a token.
        """

    async def another(self) -> bool:
        """A token for one more call of the same attempt; may wait about a second.

        False where there is none.
        """

    def report(self, result: ProviderResult) -> None:
        """What came of the call; the breaker learns from it."""

    def failover(self) -> str | None:
        """The provider after the one just called that could be called now.

        None where there is none.
        """

    def close(self) -> None:
        """Give back what was not used; always called."""


class Admitter(Protocol):
    """Where a lane asks before it claims."""

    def admit(self, wanted: int) -> Permit | Blocked:
        """A permit now, for the first of `wanted` turns, or why not; never waits."""

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back when `admit` may answer otherwise than before."""


class Dispatcher(Protocol):
    """Calls a provider once. Never raises: every failure is a value."""

    async def send(self, provider: str, message: Message) -> ProviderResult:
        """What came of it."""


@dataclass(frozen=True, slots=True)
class CapUse:
    """Uses of a frequency cap in its window by other notifications, and whether this one may go."""

    allowed: bool
    used: int
    free_at: datetime | None = None


class Caps(Protocol):
    """Counts what frequency caps let through.

    A notification counts once, however often it is tried.
    """

    async def take(self, claimed: Claimed, cap: FrequencyCap) -> CapUse:
        """Count it, where the cap allows."""


class RecipientUsage(Protocol):
    """Counts deliveries per recipient and channel."""

    def take(self, channel: str, origin: Origin, rate: Rate, now_s: float) -> Usage | None:
        """What was used before this one, which is counted if the rate allows.

        None: its partition has moved away.

        `now_s` is the database's clock, in seconds since 1970, so that all workers mean the same
        windows.
        """

    async def kept(self, origin: Origin) -> bool:
        """Wait until what `take` counted would survive this process; False where that failed."""
