"""Sandbox: keeps messages of test keys instead of sending them.

An address can ask for a failure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn
from uuid import uuid5

from notistream.delivery.ports import Message
from notistream.domain.notification import CHANNELS
from notistream.domain.outcome import Accepted
from notistream.errors import Unavailable
from notistream.providers.api import (
    Checked,
    Context,
    PermanentError,
    ProviderSettings,
    TemporaryError,
)

RETRY_AFTER_S = 5.0


@dataclass(frozen=True, slots=True)
class RequestedFailure:
    """An error, and the word or digits at an address's end that ask for it."""

    word: str
    digits: str
    error: Exception


FAILURES: Sequence[RequestedFailure] = (
    RequestedFailure("permanent", "0001", PermanentError("sandbox: refused for good")),
    RequestedFailure("dead", "0002", PermanentError("sandbox: no such address", dead_address=True)),
    RequestedFailure("temporary", "0003", TemporaryError("sandbox: not now")),
    RequestedFailure(
        "throttled",
        "0004",
        TemporaryError("sandbox: too many requests", retry_after_s=RETRY_AFTER_S, throttled=True),
    ),
    RequestedFailure("timeout", "0005", TimeoutError()),
)
"""E-mail: `anyone+permanent@…`; a token or recipient id: `…-permanent`.

A number: `+1500555` and the digits.
"""
NUMBERS = "+1500555"


class SandboxProvider:
    """Serves every channel."""

    name = "sandbox"
    channels = frozenset(CHANNELS)
    settings_model = ProviderSettings

    def __init__(self, _settings: ProviderSettings, context: Context) -> None:
        self._keep = context.keep

    async def send(self, message: Message) -> Accepted:
        """Keep the message, then fail if the address asks for it; the same key is kept once."""
        if self._keep is None:
            raise TemporaryError("this process has no sandbox")
        failure = failure_for(message.recipient)
        try:
            await self._keep(message, failure.word if failure else "delivered")
        except Unavailable:
            raise TemporaryError("the sandbox cannot be reached") from None
        if failure:
            _raise(failure.error)
        return Accepted(f"sandbox-{uuid5(message.notification_id, message.idempotency_key)}")

    async def check(self) -> Sequence[Checked]:
        """Nothing can be wrong."""
        return ()

    async def aclose(self) -> None:
        """Nothing to release."""


def failure_for(recipient: str) -> RequestedFailure | None:
    """The failure that an address asks for; None: it is accepted."""
    if recipient.startswith(NUMBERS):
        return next((one for one in FAILURES if recipient == NUMBERS + one.digits), None)
    name, at, _ = recipient.partition("@")
    mark = "+" if at else "-"
    return next((one for one in FAILURES if name.endswith(mark + one.word)), None)


def _raise(error: Exception) -> NoReturn:
    """Raise a copy, because an object that is raised again and again collects tracebacks."""
    match error:
        case PermanentError():
            raise PermanentError(error.reason, dead_address=error.dead_address)
        case TemporaryError():
            raise TemporaryError(
                error.reason, retry_after_s=error.retry_after_s, throttled=error.throttled
            )
        case _:
            raise type(error)
