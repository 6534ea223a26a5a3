"""In-app: a message is delivered when it is in its recipient's inbox."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from notistream.delivery.ports import Message
from notistream.domain.outcome import Receipt
from notistream.errors import Unavailable
from notistream.providers.api import TemporaryError

Keep = Callable[[Message], Awaitable[UUID]]
"""Stores a message once, however often it comes; its id."""


class InAppProvider:
    """Keeps messages in the inbox that it is given."""

    name = "in_app"
    channels = frozenset({"in_app"})

    def __init__(self, keep: Keep) -> None:
        self._keep = keep

    async def send(self, message: Message) -> Receipt:
        """Keep the message; where nobody knows whether it was kept, it may come again, and is kept once."""
        try:
            return Receipt(str(await self._keep(message)))
        except Unavailable as exc:
            raise TemporaryError(f"the inbox cannot be reached: {exc.code}") from exc

    async def aclose(self) -> None:
        """Nothing to release."""


async def nowhere(_message: Message) -> UUID:
    """The inbox of a process that delivers nothing."""
    raise Unavailable("this process has no inbox")
