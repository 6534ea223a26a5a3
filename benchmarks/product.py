"""The product under test: a site is a database, a topic prefix, an API process and workers."""

import asyncio
import os
import shutil
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import asyncpg

from benchmarks import processes, topics
from benchmarks.processes import BenchError, Role, free_port
from notistream.local.services import Endpoints
from notistream.settings.model import PREFIX, Settings

UNFINISHED = "'pending', 'scheduled', 'processing', 'retrying', 'deferred', 'unknown'"
# The limits are not what is measured, other than where a measurement sets them; unknown names are
# left out.
UNLIMITED = {"RATE_LIMIT_PER_CHANNEL": "0", "RECIPIENT_RATE_LIMIT": "0", "API_RATE_LIMIT": "0"}


def known(settings: Mapping[str, str]) -> dict[str, str]:
    """Those that this version of the product has."""
    return {
        name: value for name, value in settings.items() if name.lower() in Settings.model_fields
    }


class Site:
    """One installation of its own; everything of it is dropped at the end."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        endpoints: Endpoints,
        folder: Path,
        faults: list[str],
        settings: Mapping[str, str],
    ) -> None:
        self.prefix = f"bench-{uuid.uuid4().hex[:8]}"
        self.database_url = _database(endpoints.database_url, self.prefix.replace("-", "_"))
        self.api: Role
        self._http = http
        self._faults = faults
        self._folder = folder / self.prefix
        self._folder.mkdir(parents=True)
        self._env = {
            **{name: "" for name in os.environ if name.startswith(PREFIX)},  # empty means unset
            **_prefixed(
                {
                    **known(UNLIMITED),
                    "DATABASE_URL": self.database_url,
                    "KAFKA_BROKERS": endpoints.kafka_brokers,
                    "AUTH": "off",
                    "TOPIC_PREFIX": self.prefix,
                    "STATE_DIR": str(self._folder),
                    "LOG_LEVEL": "WARNING",
                    "LOG_FORMAT": "json",
                    **settings,
                }
            ),
        }

    async def prepare(self) -> None:
        """Make the schema, the topics and the tenant, as `make run` does."""
        for command in (("migrate", "up"), ("topics",), ("seed", "--demo")):
            await self._run(*command)

    async def _run(self, *command: str) -> str:
        return await processes.finish("notistream", *command, env=self._env, cwd=self._folder)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Site"]:
        """With an API process."""
        async with self._role("api", "PORT", {}) as self.api:
            yield self

    @asynccontextmanager
    async def worker(
        self, settings: Mapping[str, str], *, ready: bool = True
    ) -> AsyncIterator[Role]:
        """A worker process; it stops taking work before it ends."""
        async with self._role("worker", "WORKER_PORT", settings, ready=ready) as role:
            yield role

    @asynccontextmanager
    async def unheld(self) -> AsyncIterator[Role]:
        """Another API process, which holds nothing back."""
        async with self._role("api", "PORT", {}, program="benchmarks.unheld") as role:
            yield role

    @asynccontextmanager
    async def _role(
        self,
        name: str,
        port_setting: str,
        settings: Mapping[str, str],
        *,
        ready: bool = True,
        program: str = "notistream",
    ) -> AsyncIterator[Role]:
        port = free_port()
        log = self._folder / f"{name}-{port}.log"
        env = {**self._env, **_prefixed({port_setting: str(port), **settings})}
        async with processes.running(program, name, env=env, log=log, cwd=self._folder) as child:
            role = Role(child.pid, port, log)
            if ready:
                await self._ready(role, child)
            yield role
        self._faults += errors_in(log.read_text(errors="replace"))

    async def _ready(self, role: Role, child: asyncio.subprocess.Process) -> None:
        async def answers() -> bool:
            if child.returncode is not None:
                raise BenchError(
                    "a process of the product"
                    f" ended:\n{role.log.read_text(errors='replace')[-3000:]}"
                )
            try:
                async with self._http.get(f"{role.url}/health/ready") as answer:
                    return answer.status == 200
            except aiohttp.ClientError:
                return False

        await processes.until(answers, what=f"{role.url} to be ready; see {role.log}")

    def forget_tables(self) -> None:
        """Delete what the worker in slot 0, which does not run now, has on disk."""
        shutil.rmtree(self._folder / "worker-0")

    async def tenant(self, name: str) -> str:
        """Make another tenant; its key."""
        await self._run("tenants", "create", name)
        return (await self._run("keys", "issue", name)).split()[-1]

    async def published(self) -> None:
        """Wait until everything accepted is on Kafka, or held back until there is room."""
        await self._until_no("SELECT FROM outbox WHERE NOT held", what="the outbox to be empty")

    async def holds_back(self) -> bool:
        """Whether anything waits in the outbox until there is room."""
        async with self._connection() as connection:
            return bool(await connection.fetchval("SELECT EXISTS (SELECT FROM outbox WHERE held)"))

    async def settled(self) -> None:
        """Wait until no notification waits or is in flight; fail unless all were delivered."""
        await self._until_no(
            f"SELECT FROM notifications WHERE status IN ({UNFINISHED})", what="the last record"
        )
        async with self._connection() as connection:
            others = await connection.fetchval(
                "SELECT count(*) FROM notifications WHERE status <> 'delivered'"
            )
        if others:
            raise BenchError(f"{others} notifications were not delivered")

    async def _until_no(self, rows: str, *, what: str) -> None:
        async with self._connection() as connection:

            async def none() -> bool:
                return not await connection.fetchval(f"SELECT EXISTS ({rows})")

            await processes.until(none, what=what, patience_s=120, step_s=0.2)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(self.database_url)
        try:
            yield connection
        finally:
            await connection.close()


@asynccontextmanager
async def site(
    http: aiohttp.ClientSession,
    endpoints: Endpoints,
    folder: Path,
    faults: list[str],
    settings: Mapping[str, str],
) -> AsyncIterator[Site]:
    """A site that serves; its database and topics are dropped with the block.

    What its processes log as an error is added to `faults`: figures of a product in trouble mean
    little.
    """
    made = Site(http, endpoints, folder, faults, settings)
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


def errors_in(log: str) -> list[str]:
    """The lines of a JSON log that say error."""
    return [line for line in log.splitlines() if '"level":"error"' in line]


def _prefixed(settings: Mapping[str, str]) -> dict[str, str]:
    return {f"{PREFIX}{name}": value for name, value in settings.items()}


def _database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
