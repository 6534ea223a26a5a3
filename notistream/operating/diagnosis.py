"""The diagnosis: what an installation stands on, examined piece by piece, and what to do about what is wrong."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import asyncpg

from notistream.db import migrate
from notistream.errors import DatabaseUnavailable, KafkaUnavailable
from notistream.kafka import refusal
from notistream.kafka.connection import Kafka
from notistream.kafka.topics import TopicReport
from notistream.providers.api import Checked, Provider
from notistream.providers.registry import Providers
from notistream.settings.model import Settings

PATIENCE_S = 5.0
PROVIDER_PATIENCE_S = 20.0
CLOCK_WARNING_S, CLOCK_FAILED_S = 1.0, 10.0
TOPICS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; `remedy` says what to do where it is not ok."""

    check: str
    state: Literal["ok", "warning", "failed"]
    detail: str
    remedy: str = ""


async def of_database(url: str) -> AsyncIterator[Finding]:
    """Whether PostgreSQL answers, its clock, and its schema."""
    try:
        connection = await asyncpg.connect(url, timeout=PATIENCE_S)
    except (
        OSError,
        TimeoutError,
        ValueError,
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
    ) as exc:
        yield Finding(
            "database",
            "failed",
            f"PostgreSQL is not reachable: {str(exc) or type(exc).__name__}",
            "start it, or correct NOTISTREAM_DATABASE_URL",
        )
        return
    try:
        yield Finding(
            "database", "ok", f"PostgreSQL {connection.get_server_version().major} answers"
        )
        yield await _clock(connection)
    finally:
        await connection.close()
    yield await _schema(url)


async def _clock(connection: "asyncpg.Connection[asyncpg.Record]") -> Finding:
    """Leases and waits are on the database's clock.

    Checks of `expires_at` and limits per minute on ours.
    """
    asked = datetime.now(UTC)
    theirs: datetime = await connection.fetchval("SELECT clock_timestamp()")
    answered = datetime.now(UTC)
    off = max((asked - theirs).total_seconds(), (theirs - answered).total_seconds(), 0.0)
    words = f"{off:.1f} s away from the database's" if off else "agrees with the database's"
    if off <= CLOCK_WARNING_S:
        return Finding("clock", "ok", words)
    return Finding(
        "clock",
        "failed" if off > CLOCK_FAILED_S else "warning",
        words,
        "synchronise both machines by NTP",
    )


async def _schema(url: str) -> Finding:
    try:
        missing = [
            str(migration) for migration, applied in await migrate.status(url) if not applied
        ]
    except (DatabaseUnavailable, asyncpg.PostgresError) as exc:
        return Finding(
            "schema",
            "failed",
            f"cannot be read: {exc}",
            "let the database's user create and read tables",
        )
    if missing:
        return Finding(
            "schema", "failed", f"not applied: {', '.join(missing)}", "notistream migrate up"
        )
    return Finding("schema", "ok", "every migration is applied")


async def of_kafka(
    settings: Settings, *, report: Callable[[], Awaitable[TopicReport]]
) -> AsyncIterator[Finding]:
    """Whether Kafka answers, and what is wrong with its topics, as `report` finds it."""
    try:
        if refused := await refusal.refusal(settings.kafka):
            yield Finding("kafka", "failed", refused.detail, refused.remedy)
            return
        found = await report()
    except (KafkaUnavailable, ValueError) as exc:
        yield Finding("kafka", "failed", str(exc), "start it, or correct NOTISTREAM_KAFKA_BROKERS")
        return
    yield _let_in(settings.kafka)
    wrong = found.faults
    if not wrong:
        yield Finding("topics", "ok", f"{found.topics} topics of {found.partitions} partitions")
        return
    more = f" and {len(wrong) - TOPICS_SHOWN} more" if len(wrong) > TOPICS_SHOWN else ""
    yield Finding(
        "topics",
        "failed",
        f"{'; '.join(wrong[:TOPICS_SHOWN])}{more}",
        "notistream topics creates what is missing; where the number of partitions is another, set "
        "NOTISTREAM_TOPIC_PARTITIONS and NOTISTREAM_TOPIC_REPLICATION to what the topics have",
    )


def _let_in(kafka: Kafka) -> Finding:
    who = f" to {kafka.login.username}" if kafka.login else ""
    words = f"{kafka} answers{who} over {kafka.protocol}"
    if kafka.login and not kafka.tls:
        return Finding(
            "kafka",
            "warning",
            f"{words}: nothing is encrypted",
            "set NOTISTREAM_KAFKA_SECURITY_PROTOCOL=SASL_SSL, unless another layer encrypts",
        )
    return Finding("kafka", "ok", words)


async def of_providers(
    providers: Providers, *, patience_s: float = PROVIDER_PATIENCE_S
) -> Sequence[Finding]:
    """Which provider each channel uses, and what each of them says of its credentials."""
    chosen = "; ".join(
        f"{channel}: {', '.join(names)}" for channel, names in providers.names().items()
    )
    said = await asyncio.gather(
        *(_patiently(provider, patience_s) for provider in providers.built.values())
    )
    return [
        Finding("providers", "ok", chosen),
        *(
            Finding(name, found.state, found.detail, found.remedy)
            for name, answers in zip(providers.built, said, strict=True)
            for found in answers
        ),
    ]


async def _patiently(provider: Provider, patience_s: float) -> Sequence[Checked]:
    try:
        async with asyncio.timeout(patience_s):
            return await provider.check()
    except TimeoutError:
        return (
            Checked(
                "warning", "its check did not end in time", "see whether its service can be reached"
            ),
        )
    except Exception as exc:  # noqa: BLE001 - a defect of one provider must not hide the other findings
        return (Checked("failed", f"its check failed: {type(exc).__name__}", "tell its author"),)


def of_admin_token(settings: Settings) -> Finding:
    """Whether there is an admin token."""
    if settings.admin_token is not None:
        return Finding("admin", "ok", "an admin token is set")
    if (settings.state_dir / "admin-token").is_file():
        return Finding(
            "admin", "ok", f"`make run` uses the token in {settings.state_dir / 'admin-token'}"
        )
    return Finding(
        "admin",
        "warning",
        "no admin token is set, so /internal answers 401",
        "set NOTISTREAM_ADMIN_TOKEN to 16 characters or more, for example from `openssl rand"
        " -hex 24`",
    )
