"""What a fault happens to: the product's processes, its services, the receiver and the clients, for
one test.
"""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from notistream.local.services import LocalServices
from tests.faults.ledger import Ledger
from tests.faults.load import Load
from tests.faults.mutants import chosen as mutant_module
from tests.receiver import serving
from tests.stack import Process, Stack, stack

WATCH_S = 0.5
START_S = 180.0
"""How long a process may take to be up, while what it needs may be away."""


class Site:
    """One installation under test.

    `moment` is when its last fault was repaired, `away_s` how long everybody who could end a lease
    was away at most.
    """

    def __init__(
        self,
        product: Stack,
        ledger: Ledger,
        services: LocalServices | None = None,
        *,
        lease_s: float = 30.0,
    ) -> None:
        self.lease_s = lease_s
        self.product = product
        self.ledger = ledger
        self.load = Load(product)
        self._services = services
        self.moment: float | None = None
        self.away_s = 0.0
        self.longest_overdue_lease_s = 0.0
        self._counted_by_the_dead = 0.0

    @property
    def prefix(self) -> str:
        """First part of the names of its topics, and the workers' consumer group."""
        return self.product.setting("TOPIC_PREFIX")

    @property
    def brokers(self) -> str:
        return self.product.setting("KAFKA_BROKERS")

    @property
    def services(self) -> LocalServices:
        assert self._services is not None, "this test needs services of its own"
        return self._services

    def alive(self, role: str) -> list[Process]:
        """Its processes of that role."""
        return [p for p in self.product.processes if p.role == role and p.alive]

    @contextmanager
    def product_of(self, *module: str) -> Iterator[None]:
        """Processes that are started in this block are run by that module."""
        usual, self.product.module = self.product.module, module
        try:
            yield
        finally:
            self.product.module = usual

    async def kill(
        self, process: Process, sig: int = signal.SIGKILL, *, patience_s: float = 30.0
    ) -> float:
        """End a process, after a look at what it had counted; the seconds until it was gone."""
        self._counted_by_the_dead += await self._count(process)
        began = time.monotonic()
        await process.kill(sig, patience_s=patience_s)
        self.moment = time.time()
        return time.monotonic() - began

    async def replace(self, process: Process) -> Process:
        """Start a process in the place of one that ended: the same role, slot and settings."""
        fresh = await self.product.again(process, patience_s=START_S, supervised=True)
        self.moment = time.time()
        return fresh

    async def status(self, process: Process, path: str) -> int:
        """What a process answers to a GET; aiohttp.ClientConnectionError if it does not."""
        async with self.product.http.get(f"{process.url}{path}") as answer:
            return answer.status

    async def counted(self) -> float:
        """Possible duplicates, by the metric, over all processes that there were."""
        return self._counted_by_the_dead + sum([await self._count(p) for p in self.alive("worker")])

    async def _count(self, process: Process) -> float:
        if process.role != "worker" or not process.alive:
            return 0.0
        with suppress(
            aiohttp.ClientError, TimeoutError
        ):  # not up yet, or frozen: it has counted little
            async with asyncio.timeout(2):
                return await self.product.metric(process, "notistream_possible_duplicates_total")
        return 0.0

    async def query(self, sql: str, *values: Any) -> Sequence[asyncpg.Record]:
        """Ask the database itself."""
        connection = await asyncpg.connect(self.product.database_url)
        try:
            found: Sequence[asyncpg.Record] = await connection.fetch(sql, *values)
            return found
        finally:
            await connection.close()

    async def watch_leases(self) -> None:
        """Note by how much a lease was ever overdue."""
        while True:
            with suppress(OSError, asyncpg.PostgresError, TimeoutError):
                (row,) = await self.query(
                    "SELECT extract(epoch FROM max(now() - until))::float AS late FROM leases"
                )
                self.longest_overdue_lease_s = max(self.longest_overdue_lease_s, row["late"] or 0.0)
            await asyncio.sleep(WATCH_S)

    async def meanwhile(self, work: Awaitable[Any], *faults: Awaitable[Any]) -> None:
        """The work and the faults at the same time; when one fails, all end."""
        async with asyncio.TaskGroup() as tasks:
            for one in (work, *faults):
                tasks.create_task(_run(one))


async def _run(work: Awaitable[Any]) -> None:
    await work


@asynccontextmanager
async def site(
    *,
    database_url: str,
    brokers: str,
    prefix: str,
    folder: Path,
    services: LocalServices | None = None,
    **settings: str,
) -> AsyncIterator[Site]:
    """An installation with one API process; everything of it is ended with the block."""
    ledger = Ledger()
    async with serving(ledger):
        try:
            async with stack(
                database_url=database_url,
                brokers=brokers,
                prefix=prefix,
                folder=folder,
                WEBHOOK_URL=ledger.url,
                **settings,
            ) as product:
                product.module = mutant_module()
                found = Site(
                    product, ledger, services, lease_s=float(settings.get("LEASE_S", "30"))
                )
                watch = asyncio.create_task(found.watch_leases())
                try:
                    await product.api()
                    yield found
                finally:
                    watch.cancel()
        finally:
            ledger.release()
