"""Sandbox: keeps messages instead of sending them, and plays the failure that the recipient's address asks for.

Whatever a test key accepts goes here.
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
class Play:
    """A failure: the word and the digits at an address's end that ask for it, and the error that it is."""

    word: str
    digits: str
    error: Exception


PLAYS: Sequence[Play] = (
    Play("permanent", "0001", PermanentError("sandbox: refused for good")),
    Play("dead", "0002", PermanentError("sandbox: no such address", dead_address=True)),
    Play("temporary", "0003", TemporaryError("sandbox: not now")),
    Play(
        "throttled",
        "0004",
        TemporaryError("sandbox: too many requests", retry_after_s=RETRY_AFTER_S, throttled=True),
    ),
    Play("timeout", "0005", TimeoutError()),
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
        """Keep the message, whatever it plays; the same key is kept once."""
        if self._keep is None:
            raise TemporaryError("the sandbox has nothing to keep messages in")
        play = played(message.recipient)
        try:
            await self._keep(message, play.word if play else "delivered")
        except Unavailable:
            raise TemporaryError("the sandbox's store is away") from None
        if play:
            _raise(play.error)
        return Accepted(f"sandbox-{uuid5(message.notification_id, message.idempotency_key)}")

    async def check(self) -> Sequence[Checked]:
        """Nothing can be wrong."""
        return ()

    async def aclose(self) -> None:
        """Nothing to release."""


def played(recipient: str) -> Play | None:
    """What an address asks for; None: to be accepted."""
    if recipient.startswith(NUMBERS):
        return next((play for play in PLAYS if recipient == NUMBERS + play.digits), None)
    name, at, _ = recipient.partition("@")
    mark = "+" if at else "-"
    return next((play for play in PLAYS if name.endswith(mark + play.word)), None)


def _raise(error: Exception) -> NoReturn:
    """Raise a fresh one: one object raised for ever would collect tracebacks."""
    match error:
        case PermanentError():
            raise PermanentError(error.reason, dead_address=error.dead_address)
        case TemporaryError():
            raise TemporaryError(
                error.reason, retry_after_s=error.retry_after_s, throttled=error.throttled
            )
        case _:
            raise type(error)
