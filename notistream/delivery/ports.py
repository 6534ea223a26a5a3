"""What delivery needs from outside: the ledger, template sources and providers; values that cross the border."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from notistream.domain.notification import Claimed
from notistream.domain.outcome import Finish, ProviderResult


@dataclass(frozen=True, slots=True)
class Turn:
    """A notification and the `seq` under which it was queued; a newer `seq` makes it stale."""

    id: UUID
    seq: int


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
    channel: str
    recipient: str
    subject: str | None
    content: str
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

    async def finish(self, claimed: Claimed, end: Finish) -> None:
        """End a claimed delivery; where the lease was lost, the outcome is noted as late."""

    async def park(self, parking: Parking) -> None:
        """Defer a turn that was not claimed."""


class TemplateSources(Protocol):
    """Where the text of an accepted template version comes from."""

    async def source(self, claimed: Claimed) -> tuple[str | None, str] | None:
        """Subject and body; None where the version is gone."""


class Sender(Protocol):
    """Calls the channel's provider once. Never raises: every failure is a value."""

    async def send(self, message: Message) -> tuple[str, ProviderResult]:
        """Name of the provider, and what came of it."""
