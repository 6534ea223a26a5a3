"""Which provider serves which channel: finds, builds and checks the installed providers."""

from collections.abc import Mapping
from typing import Any

from notistream.delivery.checks import SANDBOX
from notistream.delivery.ports import Message
from notistream.domain.notification import CHANNELS
from notistream.domain.outcome import ProviderResult
from notistream.errors import Misconfigured
from notistream.providers import guard
from notistream.providers.api import Context, Provider, ProviderSettings
from notistream.settings.model import PREFIX, Settings
from notistream.settings.plugins import Plugin, installed
from notistream.settings.reading import read_settings

REQUIRED = ("name", "channels", "settings_model", "send", "check", "aclose")


class Providers:
    """Implements `delivery.ports.Sender` with the providers of the settings, and the sandbox."""

    def __init__(self, settings: Settings, context: Context | None = None) -> None:
        self._timeout_s = settings.webhook_timeout_s
        context = context or Context(
            timeout_s=settings.webhook_timeout_s, public_url=settings.public_url
        )
        self._names = chosen(settings)
        own = read_all(settings)
        self.built: Mapping[str, Provider] = {
            name: provider_class(name)(own[name], context) for name in own
        }

    async def send(self, provider: str, message: Message) -> ProviderResult:
        """Call this provider, once."""
        return await guard.call(self.built[provider], message, timeout_s=self._timeout_s)

    def names(self) -> Mapping[str, list[str]]:
        """Providers of each channel, in order."""
        return self._names

    async def aclose(self) -> None:
        """Release what the providers hold."""
        for provider in self.built.values():
            await provider.aclose()


def chosen(settings: Settings) -> Mapping[str, list[str]]:
    """Names of the providers of each channel, in order; all are installed and can serve it.

    Raises:
        Misconfigured: NOTISTREAM_PROVIDERS names a channel or provider that does not exist.
    """
    if unknown := sorted(settings.providers.keys() - CHANNELS.keys()):
        raise Misconfigured(
            f"NOTISTREAM_PROVIDERS: no channel `{unknown[0]}`; there are {', '.join(CHANNELS)}"
        )
    names = {
        channel: settings.providers.get(channel) or _default(settings, channel)
        for channel in CHANNELS
    }
    for channel, providers in names.items():
        for name in providers:
            if channel not in provider_class(name).channels:
                raise Misconfigured(
                    f"NOTISTREAM_PROVIDERS: provider `{name}` cannot serve {channel}"
                )
    return names


def _default(settings: Settings, channel: str) -> list[str]:
    """The provider with the channel's name, else the webhook if it is set, else the console."""
    wanted = channel if channel in installed() else "webhook" if settings.webhook_url else "console"
    return [wanted if channel in provider_class(wanted).channels else "console"]


def provider_class(name: str) -> type[Any]:
    """The class of an installed provider.

    Raises:
        Misconfigured: there is none, or it is not what the plug-in API asks for.
    """
    plugin = installed().get(name)
    if plugin is None:
        raise Misconfigured(
            f"NOTISTREAM_PROVIDERS: no provider `{name}`; there are {', '.join(installed())}"
        )
    if fault := fault_of(plugin):
        raise Misconfigured(f"provider `{name}` of {plugin.package} {fault}")
    assert plugin.factory is not None, "what cannot be loaded has a fault"
    return plugin.factory


def fault_of(plugin: Plugin) -> str | None:
    """Why an installed provider cannot be used at all; None where it can."""
    found = plugin.factory
    if found is None:
        return plugin.fault
    if missing := [name for name in REQUIRED if not hasattr(found, name)]:
        return f"has no {', '.join(missing)}; see the plug-in API in docs/providers.md"
    if found.name != plugin.name:
        return f"calls itself `{found.name}`, and its entry point `{plugin.name}`"
    if unknown := sorted(set(found.channels) - CHANNELS.keys()):
        return f"serves `{unknown[0]}`, which is no channel; there are {', '.join(CHANNELS)}"
    return _settings_fault(plugin.name, found.settings_model)


def _settings_fault(name: str, model: type[ProviderSettings]) -> str | None:
    prefix = f"{PREFIX}{name.upper()}_"
    if model.model_fields and model.model_config.get("env_prefix") != prefix:
        return f"must read its settings with the prefix {prefix}"
    return None


def read_provider_settings(name: str, core: Settings) -> ProviderSettings:
    """Settings of an installed provider; a setting that the product has too is taken from there.

    Raises:
        Misconfigured: something is missing or wrong.
    """
    model: type[ProviderSettings] = provider_class(name).settings_model
    shared = {
        field: value
        for field in model.model_fields
        if (value := getattr(core, f"{name}_{field}", None)) is not None
    }
    try:
        return read_settings(model, **shared)
    except Misconfigured as exc:
        raise Misconfigured(f"provider `{name}` is not configured: {exc.detail}") from None


def read_all(core: Settings) -> Mapping[str, ProviderSettings]:
    """Settings of every provider that is chosen, and of the sandbox.

    Raises:
        Misconfigured: lists everything that is missing or wrong.
    """
    found: dict[str, ProviderSettings] = {}
    faults = []
    for name in sorted({SANDBOX, *(name for names in chosen(core).values() for name in names)}):
        try:
            found[name] = read_provider_settings(name, core)
        except Misconfigured as exc:
            faults.append(exc.detail)
    if faults:
        raise Misconfigured("\n".join(faults))
    return found
