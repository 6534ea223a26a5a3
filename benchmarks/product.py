"""The product under test: a site is a database, a topic prefix, one API process and, when asked for, one worker."""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import asyncpg

from benchmarks import processes, topics
from benchmarks.processes import BenchError, free_port
from notistream.config import PREFIX, Settings
from notistream.local.services import Endpoints

# The channel's bucket and the API's own limit are not what is measured; unknown names are left out.
UNLIMITED = {"RATE_LIMIT_PER_CHANNEL": "0", "RECIPIENT_RATE_LIMIT": "0", "API_RATE_LIMIT": "0"}


def known(settings: Mapping[str, str]) -> dict[str, str]:
    """Those that this version of the product has."""
    return {name: value for name, value in settings.items() if name.lower() in Settings.model_fields}


@dataclass(slots=True)
class Role:
    """A running process of the product."""

    pid: int
    url: str
    log: Path


class Site:
    """One installation of its own; everything of it is dropped at the end."""

    def __init__(
        self, http: aiohttp.ClientSession, endpoints: Endpoints, folder: Path, settings: Mapping[str, str]
    ) -> None:
        self.prefix = f"bench-{uuid.uuid4().hex[:8]}"
        self.database_url = _database(endpoints.database_url, self.prefix.replace("-", "_"))
        self.api: Role
        self._http = http
        self._folder = folder / self.prefix
        self._folder.mkdir(parents=True)
        self._env = {
            **{name: "" for name in os.environ if name.startswith(PREFIX)},  # empty means unset
            **_prefixed(known(UNLIMITED)),
            **_prefixed({
                "DATABASE_URL": self.database_url, "KAFKA_BROKERS": endpoints.kafka_brokers, "AUTH": "off",
                "TOPIC_PREFIX": self.prefix, "STATE_DIR": str(self._folder), "LOG_LEVEL": "WARNING", **settings,
            }),
        }

    async def prepare(self) -> None:
        """Make the schema, the topics and the tenant, as `make run` does."""
        for command in (("migrate", "up"), ("topics",), ("seed", "--demo")):
            await processes.finish("notistream", *command, env=self._env, cwd=self._folder)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Site"]:
        """With an API process."""
        async with self._role("api", "PORT", {}) as self.api:
            yield self

    @asynccontextmanager
    async def worker(self, settings: Mapping[str, str], *, ready: bool = True) -> AsyncIterator[Role]:
        """A worker process; it stops taking work before it ends."""
        async with self._role("worker", "WORKER_PORT", settings, ready=ready) as role:
            yield role

    @asynccontextmanager
    async def _role(
        self, name: str, port_setting: str, settings: Mapping[str, str], *, ready: bool = True
    ) -> AsyncIterator[Role]:
        port, log = free_port(), self._folder / f"{name}.log"
        env = {**self._env, **_prefixed({port_setting: str(port), **settings})}
        async with processes.running("notistream", name, env=env, log=log, cwd=self._folder) as child:
            role = Role(child.pid, f"http://127.0.0.1:{port}", log)
            if ready:
                await self._ready(role, child)
            yield role

    async def _ready(self, role: Role, child: asyncio.subprocess.Process) -> None:
        async def answers() -> bool:
            if child.returncode is not None:
                raise BenchError(f"a process of the product ended:\n{role.log.read_text(errors='replace')[-3000:]}")
            try:
                async with self._http.get(f"{role.url}/health/ready") as answer:
                    return answer.status == 200
            except aiohttp.ClientError:
                return False

        await processes.until(answers, what=f"{role.url} to be ready; see {role.log}")

    async def published(self) -> None:
        """Wait until everything accepted is on Kafka."""
        connection = await asyncpg.connect(self.database_url)
        try:
            async def empty() -> bool:
                return not await connection.fetchval("SELECT EXISTS (SELECT FROM outbox)")

            await processes.until(empty, what="the outbox to be empty")
        finally:
            await connection.close()

    async def settled(self) -> None:
        """Wait until no notification waits or is under way, and insist that all were delivered."""
        connection = await asyncpg.connect(self.database_url)
        try:
            async def idle() -> bool:
                return not await connection.fetchval(
                    "SELECT EXISTS (SELECT FROM notifications WHERE status IN ('pending', 'processing'))")

            await processes.until(idle, what="every delivery to be recorded", step_s=0.5)
            others = await connection.fetchval("SELECT count(*) FROM notifications WHERE status <> 'delivered'")
            if others:
                raise BenchError(f"{others} notifications were not delivered")
        finally:
            await connection.close()


@asynccontextmanager
async def site(
    http: aiohttp.ClientSession, endpoints: Endpoints, folder: Path, settings: Mapping[str, str]
) -> AsyncIterator[Site]:
    """A site that serves; its database and topics are dropped with the block."""
    made = Site(http, endpoints, folder, settings)
    admin = await asyncpg.connect(endpoints.database_url)
    name = urlsplit(made.database_url).path[1:]
    try:
        await admin.execute(f"CREATE DATABASE {name}")
        await made.prepare()
        async with made.serving():
            yield made
    finally:
        await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await admin.close()
        await topics.delete(endpoints.kafka_brokers, made.prefix)


def _prefixed(settings: Mapping[str, str]) -> dict[str, str]:
    return {f"{PREFIX}{name}": value for name, value in settings.items()}


def _database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
