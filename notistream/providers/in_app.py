"""In-app: a message is delivered when it is in its recipient's inbox."""

from collections.abc import Sequence

from notistream.delivery.ports import Message
from notistream.domain.outcome import Accepted
from notistream.errors import Unavailable
from notistream.providers.api import Checked, Context, ProviderSettings, TemporaryError


class InAppProvider:
    """Keeps messages in the inbox of the process."""

    name = "in_app"
    channels = frozenset({"in_app"})
    settings_model = ProviderSettings

    def __init__(self, _settings: ProviderSettings, context: Context) -> None:
        self._inbox = context.inbox

    async def send(self, message: Message) -> Accepted:
        """Keep the message; one that comes again is kept once."""
        if self._inbox is None:
            raise TemporaryError("this process has no inbox")
        try:
            return Accepted(str(await self._inbox(message)))
        except Unavailable as exc:
            raise TemporaryError(f"the inbox cannot be reached: {exc.code}") from exc

    async def check(self) -> Sequence[Checked]:
        """Nothing can be wrong."""
        return ()

    async def aclose(self) -> None:
        """Nothing to release."""
