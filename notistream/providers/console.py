"""Console: writes messages to the log instead of sending them; for development."""

import logging
from uuid import uuid5

from notistream.delivery.ports import Message
from notistream.domain.notification import CHANNELS
from notistream.domain.outcome import Receipt
from notistream.telemetry import masked

log = logging.getLogger(__name__)


class ConsoleProvider:
    """Serves every channel. Shows no address and no text unless asked to: logs are kept."""

    name = "console"
    channels = frozenset(CHANNELS)

    def __init__(self, *, shows_all: bool = False) -> None:
        self._shows_all = shows_all

    async def send(self, message: Message) -> Receipt:
        """Log the message; never fails."""
        said = {"subject": message.subject, "content": message.content} if self._shows_all else {}
        log.info("message sent to the console", extra={
            "channel": message.channel, "characters": len(message.content),
            "recipient": message.recipient if self._shows_all else masked(message.recipient), **said})
        return Receipt(f"console-{uuid5(message.notification_id, message.idempotency_key)}")

    async def aclose(self) -> None:
        """Nothing to release."""
