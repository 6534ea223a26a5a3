"""The plug-in API: what a provider is, what it is built from, and the two errors of `send`."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable
from uuid import UUID

from pydantic_settings import BaseSettings, SettingsConfigDict

from notistream.delivery.ports import Message
from notistream.domain.outcome import Accepted, Receipt
from notistream.domain.receipt import ProviderReceipt

__all__ = [
    "Accepted",
    "Callback",
    "CallbackRefusedError",
    "Checked",
    "Context",
    "Keep",
    "Message",
    "PermanentError",
    "Provider",
    "ProviderReceipt",
    "ProviderSettings",
    "Receipt",
    "ReceivesCallbacks",
    "TemporaryError",
    "UnreadableCallbackError",
]


class TemporaryError(Exception):
    """Not sent; it may be tried again, not before `retry_after_s` seconds.

    `throttled`: the provider works, and only wants fewer calls.
    """

    def __init__(
        self, reason: str, *, retry_after_s: float | None = None, throttled: bool = False
    ) -> None:
        self.reason = reason
        self.retry_after_s = retry_after_s
        self.throttled = throttled
        super().__init__(reason)


class PermanentError(Exception):
    """Refused; the same message would be refused again.

    `dead_address`: any other message to this address would be refused too.
    """

    def __init__(self, reason: str, *, dead_address: bool = False) -> None:
        self.reason = reason
        self.dead_address = dead_address
        super().__init__(reason)


class ProviderSettings(BaseSettings):
    """Base of a provider's settings; read from the environment and `.env` like the product's own.

    A provider `acme` sets `model_config = SettingsConfigDict(env_prefix="NOTISTREAM_ACME_")`. Each
    field has a description; a secret is a SecretStr. A provider counts as configured when all of
    its settings are valid.
    """

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8",
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
    )


Keep = Callable[[Message, str], Awaitable[None]]
"""Keeps a message and the outcome that it got."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the process gives to the providers that it builds."""

    timeout_s: float = 10.0
    """Seconds after which a call is given up from outside."""
    keep: Keep | None = None
    """Stores messages of the sandbox; None in a process that delivers nothing."""
    inbox: Callable[[Message], Awaitable[UUID]] | None = None
    """Puts a message into its recipient's inbox once, however often it comes; returns its id there.

    None in a process that delivers nothing.
    """
    shows_addresses: bool = False
    """Whether logs may show addresses and texts."""
    public_url: str | None = None
    """Public address of the API."""

    def callback_url(self, provider: str) -> str | None:
        """The address that vendors POST receipts to; None where none is public."""
        return f"{self.public_url.rstrip('/')}/callbacks/{provider}" if self.public_url else None


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of one check; `remedy` says what to do if it is not ok. Shows no secret."""

    state: Literal["ok", "warning", "failed"]
    detail: str
    remedy: str = ""


@runtime_checkable
class Provider(Protocol):
    """Sends messages of some channels.

    One call of `send` is one request to the vendor: no retries inside.

    The class is what an entry point of the group `notistream.providers` names. `name` (that of the
    entry point), `channels` and `settings_model` are attributes of the class; it is built as
    `TheClass(settings, context)`, where it neither waits nor connects.
    """

    @property
    def name(self) -> str:
        """The name used in settings, traces and metrics."""

    @property
    def channels(self) -> frozenset[str]:
        """Channels that it can serve."""

    @property
    def settings_model(self) -> type[ProviderSettings]:
        """What it is configured with."""

    async def send(self, message: Message) -> Accepted:
        """Send once.

        Raises:
            TemporaryError: it was certainly not sent, and may be later.
            PermanentError: it was refused.
            TimeoutError, aiohttp.ClientError, OSError: judged by the guard; after the request went
                out, the outcome is unknown.
        """

    async def check(self) -> Sequence[Checked]:
        """Check the credentials without sending; for `notistream doctor`.

        Never raises.
        """

    async def aclose(self) -> None:
        """Release connections; a later `send` may open them again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """A vendor's raw request to `/callbacks/{provider}`, of at most 1 MiB."""

    headers: Mapping[str, str]
    """Looked up case-insensitively."""
    body: bytes
    query: str = ""
    """The raw query string, without the `?`."""


class CallbackRefusedError(Exception):
    """Not signed by the vendor, or not for us; answered with 403.

    `reason` repeats nothing of the request.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class UnreadableCallbackError(Exception):
    """Signed by the vendor, but not as documented; answered with 400."""


@runtime_checkable
class ReceivesCallbacks(Protocol):
    """A provider whose vendor reports later what became of messages."""

    async def receipts(self, callback: Callback) -> Sequence[ProviderReceipt]:
        """Verify the signature, in constant time, then read the callback.

        Callbacks that are no receipts are left out.

        Raises:
            CallbackRefusedError: its signature is missing or wrong.
            UnreadableCallbackError: it cannot be read.
            TemporaryError: it could not be verified now; answered with 503, and the vendor repeats
              it.
        """
