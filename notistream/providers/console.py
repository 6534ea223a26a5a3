"""Console: writes messages to the log instead of sending them; for development."""

import logging
from collections.abc import Sequence
from uuid import uuid5

from notistream.delivery.ports import Message
from notistream.domain.notification import CHANNELS
from notistream.domain.outcome import Accepted
from notistream.observability.logs import masked
from notistream.providers.api import Checked, Context, ProviderSettings

log = logging.getLogger(__name__)


class ConsoleProvider:
    """Serves every channel. Shows no address and no text unless asked to: logs are kept."""

    name = "console"
    channels = frozenset(CHANNELS)
    settings_model = ProviderSettings

    def __init__(self, _settings: ProviderSettings, context: Context) -> None:
        self._shows_all = context.shows_addresses

    async def send(self, message: Message) -> Accepted:
        """Log the message; never fails."""
        said = {"subject": message.subject, "content": message.content} if self._shows_all else {}
        log.info(
            "message sent to the console",
            extra={
                "notification_id": str(message.notification_id),
                "channel": message.channel,
                "characters": len(message.content),
                "recipient": message.recipient if self._shows_all else masked(message.recipient),
                **said,
            },
        )
        return Accepted(f"console-{uuid5(message.notification_id, message.idempotency_key)}")

    async def check(self) -> Sequence[Checked]:
        """Nothing can be wrong."""
        return ()

    async def aclose(self) -> None:
        """Nothing to release."""
