"""Console: writes messages to the log instead of sending them; for development."""

import logging
from uuid import uuid5

from notistream.delivery.ports import Message
from notistream.domain.notification import CHANNELS
from notistream.domain.outcome import Receipt

log = logging.getLogger(__name__)


class ConsoleProvider:
    """Serves every channel. Shows no address and no text unless asked to: logs are kept."""

    name = "console"
    channels = frozenset(CHANNELS)

    async def send(self, message: Message) -> Receipt:
        """Log the message; never fails."""
        log.info("message sent to the console", extra={
            "notification_id": str(message.notification_id), "channel": message.channel,
            "characters": len(message.content)})
        return Receipt(f"console-{uuid5(message.notification_id, message.idempotency_key)}")

    async def aclose(self) -> None:
        """Nothing to release."""
