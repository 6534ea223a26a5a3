"""Which provider serves which channel: built from the settings, checked at start."""

from collections.abc import Callable, Mapping

from notistream.config import Settings
from notistream.delivery.ports import Message
from notistream.domain.notification import CHANNELS
from notistream.domain.outcome import ProviderResult
from notistream.errors import Misconfigured
from notistream.providers import guard
from notistream.providers.api import Provider
from notistream.providers.console import ConsoleProvider
from notistream.providers.in_app import InAppProvider, Keep, nowhere
from notistream.providers.webhook import WebhookProvider


def _webhook(settings: Settings) -> Provider:
    if settings.webhook_url is None:
        raise Misconfigured("provider `webhook` needs NOTISTREAM_WEBHOOK_URL, such as http://127.0.0.1:9000/hook")
    return WebhookProvider(settings.webhook_url, timeout_s=settings.webhook_timeout_s)


FACTORIES: Mapping[str, Callable[[Settings], Provider]] = {
    "console": lambda settings: ConsoleProvider(shows_all=settings.log_addresses),
    "in_app": lambda _: InAppProvider(nowhere),
    "webhook": _webhook,
}


class Providers:
    """Implements `delivery.ports.Sender` with the providers of the settings."""

    def __init__(self, settings: Settings, *, keep: Keep = nowhere) -> None:
        self._timeout_s = settings.webhook_timeout_s
        if unknown := sorted(settings.providers.keys() - CHANNELS.keys()):
            raise Misconfigured(f"NOTISTREAM_PROVIDERS: no channel `{unknown[0]}`; there are {', '.join(CHANNELS)}")
        names = {channel: _names(settings, channel) for channel in CHANNELS}
        self._built = {name: _build(name, settings) for name in sorted({n for ns in names.values() for n in ns})}
        if "in_app" in self._built:
            self._built["in_app"] = InAppProvider(keep)
        self._by_channel = {channel: [self._built[n] for n in ns] for channel, ns in names.items()}
        for channel, providers in self._by_channel.items():
            for provider in providers:
                if channel not in provider.channels:
                    raise Misconfigured(f"NOTISTREAM_PROVIDERS: provider `{provider.name}` cannot serve {channel}")

    async def send(self, provider: str, message: Message) -> ProviderResult:
        """Call this provider, once."""
        return await guard.call(self._built[provider], message, timeout_s=self._timeout_s)

    def names(self) -> Mapping[str, list[str]]:
        """Providers of each channel, in order."""
        return {channel: [p.name for p in providers] for channel, providers in self._by_channel.items()}

    async def aclose(self) -> None:
        """Release what the providers hold."""
        for provider in self._built.values():
            await provider.aclose()


def _names(settings: Settings, channel: str) -> list[str]:
    chosen = settings.providers.get(channel)
    if chosen:
        return chosen
    if channel in InAppProvider.channels:
        return [InAppProvider.name]
    return ["webhook"] if settings.webhook_url and channel in WebhookProvider.channels else ["console"]


def _build(name: str, settings: Settings) -> Provider:
    factory = FACTORIES.get(name)
    if factory is None:
        raise Misconfigured(f"NOTISTREAM_PROVIDERS: no provider `{name}`; there are {', '.join(sorted(FACTORIES))}")
    return factory(settings)
