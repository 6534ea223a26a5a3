"""What integration tests stand on: one broker and one PostgreSQL per run, a database and topics per
test.
"""

import hashlib
import os
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import psutil
from aiokafka.admin import AIOKafkaAdminClient

from notistream.db import migrate
from notistream.local.services import Endpoints, LocalServices, attach_or_start, stop_unused

_FOLDERS = "notistream-tests-"
_TEMPLATE_LOCK = 7_301_962_002


@contextmanager
def session_services() -> Iterator[Endpoints]:
    """Yield the services of this run.

    All xdist workers share them, the last one to leave stops and deletes them.
    """
    _stop_abandoned()
    services = attach_or_start(
        _folder(),
        durable=False,
        database_url=os.environ.get("NOTISTREAM_DATABASE_URL"),
        kafka_brokers=os.environ.get("NOTISTREAM_KAFKA_BROKERS"),
    )
    try:
        yield services.endpoints
    finally:
        services.release(delete=True)


@contextmanager
def dedicated_services() -> Iterator[LocalServices]:
    """Yield services that no other test uses, for what stops, kills and restarts `.kafka` or
    `.postgres`.
    """
    services = attach_or_start(dedicated_folder(), durable=False)
    try:
        yield services
    finally:
        services.release(delete=True)


def dedicated_folder() -> Path:
    """Return a state folder of its own.

    If this run is killed, a later one stops and deletes what is in it.
    """
    return _folder(f"-{uuid.uuid4().hex[:8]}")


@asynccontextmanager
async def fresh_database(endpoints: Endpoints) -> AsyncIterator[str]:
    """Yield the URL of a migrated database of its own.

    It is dropped afterwards, whoever is still connected.
    """
    admin = await asyncpg.connect(endpoints.database_url)
    try:
        name = await _create_database(admin, endpoints.database_url)
        yield database_named(endpoints.database_url, name)
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()


async def create_database(endpoints: Endpoints) -> str:
    """Return the URL of a migrated database that stays, for services that are stopped and then
    deleted.
    """
    admin = await asyncpg.connect(endpoints.database_url)
    try:
        return database_named(
            endpoints.database_url, await _create_database(admin, endpoints.database_url)
        )
    finally:
        await admin.close()


async def _create_database(admin: asyncpg.Connection, url: str) -> str:
    name = f"test_{uuid.uuid4().hex[:16]}"
    template = await _template(admin, url)
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    return name


def database_named(url: str, name: str) -> str:
    """Return the URL of another database of the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def topic_prefix() -> str:
    """Return a value for Settings.topic_prefix that no other test has."""
    return f"t-{uuid.uuid4().hex[:12]}"


async def delete_topics(brokers: str, prefix: str) -> None:
    """Delete a test's topics: a broker with thousands of partitions gets slow."""
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers)
    await admin.start()
    try:
        if mine := [topic for topic in await admin.list_topics() if topic.startswith(prefix)]:
            await admin.delete_topics(mine)
    finally:
        await admin.close()


async def _template(admin: asyncpg.Connection, url: str) -> str:
    """Return a migrated template database; one process makes it, the others wait for it."""
    steps = "".join(f"{step} {step.checksum}" for step in migrate.known())
    name = f"template_{hashlib.sha256(steps.encode()).hexdigest()[:16]}"
    await admin.execute(f"SELECT pg_advisory_lock({_TEMPLATE_LOCK})")
    try:
        if not await admin.fetchval(
            "SELECT datistemplate FROM pg_database WHERE datname = $1", name
        ):
            await admin.execute(
                f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"
            )  # of a run that was killed
            await admin.execute(f"CREATE DATABASE {name}")
            await migrate.up(database_named(url, name))
            # Nobody connects, and the server leaves it alone: a template in use cannot be copied.
            await admin.execute(
                f"ALTER DATABASE {name} WITH IS_TEMPLATE true ALLOW_CONNECTIONS false"
            )
    finally:
        await admin.execute(f"SELECT pg_advisory_unlock({_TEMPLATE_LOCK})")
    return name


def _folder(suffix: str = "") -> Path:
    # Named after the process that all workers of this run descend from.
    run = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
    return Path(tempfile.gettempdir()) / f"{_FOLDERS}{run}{suffix}"


def _stop_abandoned() -> None:
    """Stop what earlier runs left when they were killed; runs that are still going keep theirs."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_FOLDERS}*"):
        run = folder.name.removeprefix(_FOLDERS).partition("-")[0]
        if (
            run.isdigit()
            and not psutil.pid_exists(int(run))
            and folder.stat().st_uid == os.geteuid()
        ):
            stop_unused(folder, delete=True)
