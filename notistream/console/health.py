"""Handler of the health page: what `notistream doctor` says, and the settings that are in force."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from aiohttp import web
from pydantic import SecretStr

from notistream import __version__
from notistream.console.rendering import page
from notistream.kafka import topics
from notistream.operating import diagnosis
from notistream.operating.diagnosis import Finding
from notistream.runtime import Runtime
from notistream.settings.model import PREFIX, Settings
from notistream.web.server.context import RUNTIME

KEPT_S = 30.0
PATIENCE_S = 15.0
REFRESH_S = 5


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting as it may be shown: of secrets only whether they are set."""

    name: str
    value: str
    changed: bool
    about: str


class Examination:
    """Examines in the background, at most every half minute, and only while somebody looks."""

    def __init__(self) -> None:
        self.findings: Sequence[Finding] = ()
        self.at: datetime | None = None
        self._next = 0.0
        self._running: asyncio.Task[None] | None = None

    @property
    def runs(self) -> bool:
        return self._running is not None

    def begin(self, runtime: Runtime) -> None:
        """Look again, unless that was done a moment ago."""
        if self._running is None and time.monotonic() >= self._next:
            self._running = asyncio.create_task(self._examine(runtime))

    async def _examine(self, runtime: Runtime) -> None:
        try:
            self.findings = await examine(runtime)
            self.at = datetime.now(UTC)
        finally:
            self._next, self._running = time.monotonic() + KEPT_S, None

    async def close(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])


EXAMINATION = web.AppKey("notistream_examination", Examination)


def prepare(app: web.Application) -> None:
    async def end(app: web.Application) -> None:
        await app[EXAMINATION].close()

    app[EXAMINATION] = Examination()
    app.on_cleanup.append(end)


async def show(request: web.Request) -> web.Response:
    runtime, examination = request.app[RUNTIME], request.app[EXAMINATION]
    examination.begin(runtime)
    return page(
        request,
        "health.html",
        examination=examination,
        settings=list(shown(runtime.settings)),
        version=__version__,
        refresh_s=REFRESH_S,
    )


async def examine(runtime: Runtime) -> Sequence[Finding]:
    """All checks side by side, none of them for longer than a quarter of a minute."""
    settings = runtime.settings

    async def database() -> Sequence[Finding]:
        return [finding async for finding in diagnosis.of_database(settings.database_url or "")]

    async def kafka() -> Sequence[Finding]:
        return [
            finding
            async for finding in diagnosis.of_kafka(
                settings, report=lambda: topics.report(settings.kafka, settings)
            )
        ]

    async def providers() -> Sequence[Finding]:
        return await diagnosis.of_providers(runtime.providers, patience_s=PATIENCE_S)

    checks = {"database": database(), "kafka": kafka(), "providers": providers()}
    found = await asyncio.gather(
        *(asyncio.wait_for(check, PATIENCE_S + 1) for check in checks.values()),
        return_exceptions=True,
    )
    return [
        finding for name, one in zip(checks, found, strict=True) for finding in _of(name, one)
    ] + [diagnosis.of_admin_token(settings)]


def _of(name: str, found: Sequence[Finding] | BaseException) -> Sequence[Finding]:
    if isinstance(found, BaseException):
        detail = (
            "did not end in time"
            if isinstance(found, TimeoutError)
            else f"failed: {type(found).__name__}"
        )
        return [Finding(name, "failed", f"the check {detail}", "look at the log of this process")]
    return found


def shown(settings: Settings) -> Iterator[Setting]:
    """Every setting; of addresses only the host, because the rest may hold a secret."""
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        yield Setting(
            PREFIX + name.upper(),
            _words(value),
            name in settings.model_fields_set,
            field.description or "",
        )


def _words(value: object) -> str:
    match value:
        case None | "":
            return "not set"
        case SecretStr():
            return "set, not shown"
        case dict() if any(isinstance(one, SecretStr) for one in value.values()):
            return f"set, not shown ({', '.join(value)})"
        case str() if "://" in value:
            address = urlsplit(value)
            return f"{address.scheme}://{address.netloc.rpartition('@')[2]}/…"
        case _:
            return str(value)
