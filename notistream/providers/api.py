"""What a provider is, what it is built from, and the only two errors by which it says that it did not send."""

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
    """Not now; later perhaps, and not before `retry_after_s` seconds.

    `throttled`: it only wants fewer calls.
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

    `dead_address`: so would any other message to it.
    """

    def __init__(self, reason: str, *, dead_address: bool = False) -> None:
        self.reason = reason
        self.dead_address = dead_address
        super().__init__(reason)


class ProviderSettings(BaseSettings):
    """Base of a provider's settings: read from the environment and `.env`, as the product's own are.

    A provider `acme` sets `model_config = SettingsConfigDict(env_prefix="NOTISTREAM_ACME_")`; each field has a
    description, a secret is a SecretStr, and a provider counts as configured when all of it is valid.
    """

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8",
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
    )


Keep = Callable[[Message, str], Awaitable[None]]
"""Keeps a message, and what was answered to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the process gives to the providers that it builds."""

    timeout_s: float = 10.0
    """Seconds after which a call is given up from outside."""
    keep: Keep | None = None
    """Where the sandbox puts messages; None in a process that delivers nothing."""
    inbox: Callable[[Message], Awaitable[UUID]] | None = None
    """Puts a message into its recipient's inbox, once however often it comes; its id there.

    None as above.
    """
    shows_addresses: bool = False
    """Whether addresses and texts may stand in logs as they are."""
    public_url: str | None = None
    """Where the outside world reaches the API, without a slash at the end."""

    def callback_url(self, provider: str) -> str | None:
        """What vendors are told to POST receipts to; None where nobody outside can reach us."""
        return f"{self.public_url.rstrip('/')}/callbacks/{provider}" if self.public_url else None


@dataclass(frozen=True, slots=True)
class Checked:
    """One thing that `check` looked at; `remedy` says what to do where it is not ok.

    Shows no secret.
    """

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
            TemporaryError: it was certainly not taken, and may be later.
            PermanentError: it was refused.
            TimeoutError, aiohttp.ClientError, OSError: judged by the guard; after the request went
                out, the outcome is unknown.
        """

    async def check(self) -> Sequence[Checked]:
        """Look whether the credentials are good, without sending; for `notistream doctor`.

        Never raises.
        """

    async def aclose(self) -> None:
        """Release connections; a later `send` may open them again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """A request of a vendor to `/callbacks/{provider}`, of at most 1 MiB, as it came."""

    headers: Mapping[str, str]
    """Found by names in any case."""
    body: bytes
    query: str = ""
    """What stood behind the `?`, raw."""


class CallbackRefusedError(Exception):
    """Not signed by the vendor, or not for us; answered with 403.

    `reason` repeats nothing of the request.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class UnreadableCallbackError(Exception):
    """Signed, and yet not what the vendor documents; answered with 400."""


@runtime_checkable
class ReceivesCallbacks(Protocol):
    """What a provider has too whose vendor reports later what became of messages."""

    async def receipts(self, callback: Callback) -> Sequence[ProviderReceipt]:
        """Verify the signature, in constant time, then read the callback.

        What is no receipt is left out.

        Raises:
            CallbackRefusedError: its signature is missing or wrong.
            UnreadableCallbackError: it cannot be read.
            TemporaryError: it could not be verified now; answered with 503, and the vendor repeats
              it.
        """
