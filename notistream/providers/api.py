"""What a provider is, and the only two errors by which it says that it did not send."""

from typing import Protocol, runtime_checkable

from notistream.delivery.ports import Message
from notistream.domain.outcome import Receipt


class TemporaryError(Exception):
    """Not now; later perhaps, and not before `retry_after_s` seconds. `throttled`: it only wants fewer calls."""

    def __init__(self, reason: str, *, retry_after_s: float | None = None, throttled: bool = False) -> None:
        self.reason = reason
        self.retry_after_s = retry_after_s
        self.throttled = throttled
        super().__init__(reason)


class PermanentError(Exception):
    """Refused; the same message would be refused again. `dead_address`: so would any other message to it."""

    def __init__(self, reason: str, *, dead_address: bool = False) -> None:
        self.reason = reason
        self.dead_address = dead_address
        super().__init__(reason)


@runtime_checkable
class Provider(Protocol):
    """Sends messages of some channels. One call of `send` is one request to the vendor: no retries inside."""

    @property
    def name(self) -> str:
        """The name used in settings, traces and metrics."""

    @property
    def channels(self) -> frozenset[str]:
        """Channels that it can serve."""

    async def send(self, message: Message) -> Receipt:
        """Send once.

        Raises:
            TemporaryError: it was certainly not taken, and may be later.
            PermanentError: it was refused.
            TimeoutError, aiohttp.ClientError, OSError: judged by the guard; after the request went out, the
                outcome is unknown.
        """

    async def aclose(self) -> None:
        """Release connections."""
