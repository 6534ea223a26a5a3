"""Installed providers: the entry points of `notistream.providers`, ours among them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

GROUP = "notistream.providers"
OURS = "notistream"
BUILT_IN: Mapping[str, str] = {
    "console": "notistream.providers.console:ConsoleProvider",
    "fcm": "notistream.providers.fcm:FcmProvider",
    "in_app": "notistream.providers.in_app:InAppProvider",
    "sandbox": "notistream.providers.sandbox:SandboxProvider",
    "ses": "notistream.providers.ses:SesProvider",
    "smtp": "notistream.providers.smtp:SmtpProvider",
    "twilio": "notistream.providers.twilio:TwilioProvider",
    "webhook": "notistream.providers.webhook:WebhookProvider",
}
"""As in pyproject.toml: the installed metadata of a checkout may differ from its code."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """An installed provider: its name, its package, and its class, or why that cannot be loaded."""

    name: str
    package: str
    factory: type[Any] | None = None
    fault: str | None = None

    def settings(self) -> Iterator[str]:
        """Names of its settings as the environment spells them."""
        model = getattr(self.factory, "settings_model", None)
        for field in getattr(model, "model_fields", ()):
            yield f"NOTISTREAM_{self.name}_{field}".upper()


@cache
def installed() -> Mapping[str, Plugin]:
    """Every provider of this environment by name.

    One that cannot be loaded is there with its fault.
    """
    points: dict[str, list[EntryPoint]] = {
        name: [EntryPoint(name, value, GROUP)] for name, value in BUILT_IN.items()
    }
    for point in entry_points(group=GROUP):
        if not _is_ours(point) and BUILT_IN.get(point.name) != point.value:
            points.setdefault(point.name, []).append(point)
    return {name: _loaded(found) for name, found in sorted(points.items())}


def _loaded(points: list[EntryPoint]) -> Plugin:
    point, *others = points
    if others:
        packages = ", ".join(map(_package, points))
        return Plugin(
            point.name,
            packages,
            fault=f"offered by more than one package ({packages}); uninstall one",
        )
    try:
        return Plugin(point.name, _package(point), point.load())
    except Exception as exc:  # noqa: BLE001 - whatever a foreign module does must not stop those that work
        return Plugin(
            point.name, _package(point), fault=f"cannot be imported: {type(exc).__name__}: {exc}"
        )


def _is_ours(point: EntryPoint) -> bool:
    return point.dist is not None and point.dist.name == OURS


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else OURS
