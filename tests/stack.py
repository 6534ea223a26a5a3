"""Real processes of the product for one test: API and workers, started, killed and asked over HTTP."""

import asyncio
import re
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Self

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from notistream.commands.seed import seed_demo
from notistream.db.pool import Database
from tests import nursery
from tests.collector import Collector, collector
from tests.receiver import Receiver, receiver
from tests.services import Endpoints

ROOT = nursery.ROOT
PATIENCE_S = 60.0
PRIVATE = re.compile(
    rb"\+\d{9,15}\b|[\w.+-]+@[\w-]+\.\w+|\bns_(?:live|test)_[\w-]{20,}|\bwhsec_[\w+/=]{8,}|\beyJ[\w-]+\.[\w-]+\."
    rb"|test-admin-token|postgresql://\w+:\w+@"
)
"""What stands in no log and no span: numbers, addresses, keys, tokens.

Every test with processes looks for it.
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def until(
    condition: Callable[[], Awaitable[Any] | Any], *, what: str, patience_s: float = PATIENCE_S
) -> Any:
    """Wait until the condition holds; its value."""
    deadline = asyncio.get_running_loop().time() + patience_s
    while True:
        value = condition()
        if isinstance(value, Awaitable):
            value = await value
        if value:
            return value
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"waited {patience_s:g} s for: {what}")
        await asyncio.sleep(0.05)


class Process:
    """One role of the product, in a session of its own.

    `module` is what runs it, with arguments of its own.
    """

    def __init__(
        self, role: str, env: dict[str, str], port: int, log: Path, module: Sequence[str]
    ) -> None:
        self.role = role
        self.module = module
        self.env = env
        self.port = port
        self.log = log
        self.child: asyncio.subprocess.Process | nursery.Child | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def alive(self) -> bool:
        return self.child is not None and self.child.returncode is None

    async def start(self) -> None:
        self.child = await nursery.start(*self.module, self.role, env=self.env, output=self.log)

    async def kill(self, signal_number: int = signal.SIGKILL, *, patience_s: float = 30.0) -> int:
        """Signal the process and wait for its end; its exit status."""
        assert self.child is not None
        if self.child.returncode is None:
            self.child.send_signal(signal_number)
        try:
            return await asyncio.wait_for(self.child.wait(), patience_s)
        except TimeoutError:
            self.child.kill()
            await self.child.wait()
            raise AssertionError(
                f"{self.role} did not stop in {patience_s:g} s\n{self.tail()}"
            ) from None

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]


class Stack:
    """An API, any number of workers, and a client for both."""

    def __init__(
        self,
        *,
        database_url: str,
        brokers: str,
        prefix: str,
        folder: Path,
        settings: dict[str, str],
    ) -> None:
        self.database_url = database_url
        self._folder = folder
        self._env = {
            **nursery.environment(),
            "NOTISTREAM_DATABASE_URL": database_url,
            "NOTISTREAM_KAFKA_BROKERS": brokers,
            "NOTISTREAM_AUTH": "off",
            "NOTISTREAM_TOPIC_PREFIX": prefix,
            "NOTISTREAM_STATE_DIR": str(folder),
            "NOTISTREAM_LOG_FORMAT": "json",
            "NOTISTREAM_TOPIC_PARTITIONS": "2",
            "NOTISTREAM_ADMIN_TOKEN": "test-admin-token-0123456789",
            "NOTISTREAM_RATE_LIMIT_PER_CHANNEL": "0",
            "NOTISTREAM_BREAKER_OPEN_S": "2",
            "NOTISTREAM_TRACE_SAMPLING": "1",
            "NOTISTREAM_TRACE_URL": "http://traces.example/trace/{trace_id}",
        }
        self._settings = settings
        self.processes: list[Process] = []
        self._commands = 0
        self.module: Sequence[str] = (nursery.PRODUCT,)
        self.http: aiohttp.ClientSession
        self._told: Collector
        self._exit = AsyncExitStack()

    def setting(self, name: str) -> str:
        """What every process of it is told."""
        return self._env[f"NOTISTREAM_{name}"]

    async def __aenter__(self) -> Self:
        self.http = await self._exit.enter_async_context(aiohttp.ClientSession())
        self._told = await self._exit.enter_async_context(collector())
        self._env |= {"NOTISTREAM_OTLP_ENDPOINT": self._told.endpoint, **self._settings}
        await self._seed()
        return self

    async def _seed(self) -> None:
        """As `notistream seed --demo`, without a process of its own: most of the suite's stacks
        begin so.
        """
        database = Database(self.database_url, size=2, name="seed")
        try:
            await seed_demo(database)
        finally:
            await database.close()

    async def __aexit__(self, *exc: object) -> None:
        for process in reversed(self.processes):
            if process.child is not None:
                await self._end(process)
        await self._exit.aclose()
        if exc[0] is None:
            self._insist_on_privacy()

    def _insist_on_privacy(self) -> None:
        for process in self.processes:
            found = sorted(
                {
                    match.decode(errors="replace")
                    for match in PRIVATE.findall(process.log.read_bytes())
                }
            )
            assert not found, f"{process.role} logged {found[:5]}; see {process.log}"
        # As text: in the bytes of ids and times anything can be found.
        found = sorted(
            {
                match.decode()
                for span in self._told.spans
                for match in PRIVATE.findall(str(span).encode())
            }
        )
        assert not found, f"spans tell {found[:5]}"

    async def _end(self, process: Process) -> None:
        assert process.child is not None
        if process.child.returncode is None:
            process.child.kill()
            await process.child.wait()

    async def run(self, *command: str) -> str:
        """Run a command of the product's CLI to its end; what it printed."""
        self._commands += 1
        status, said = await nursery.run(
            nursery.PRODUCT,
            *command,
            env=self._env,
            output=self._folder / f"command-{self._commands}.log",
        )
        assert status == 0, said
        return said

    async def api(self, **settings: str) -> Process:
        """Start an API process and wait until it answers."""
        process = await self.launch("api", **settings)
        await self._up(process)
        return process

    async def worker(self, slot: int = 0, *, wait: bool = True, **settings: str) -> Process:
        """Start a worker and wait until it is ready."""
        process = await self.launch("worker", WORKER_SLOT=str(slot), **settings)
        if wait:
            await self._up(process)
        return process

    async def launch(self, role: str, **settings: str) -> Process:
        port = free_port()
        env = {**self._env, **{f"NOTISTREAM_{k}": v for k, v in settings.items()}}
        env["NOTISTREAM_PORT" if role == "api" else "NOTISTREAM_WORKER_PORT"] = str(port)
        return await self._start(role, env, port)

    async def _start(self, role: str, env: dict[str, str], port: int) -> Process:
        process = Process(
            role, env, port, self._folder / f"{role}-{len(self.processes)}.log", self.module
        )
        self.processes.append(process)
        await process.start()
        return process

    async def again(
        self, former: Process, *, patience_s: float = PATIENCE_S, supervised: bool = False
    ) -> Process:
        """Start a process like one that has ended, and wait for it: a port of its own, all other
        settings the same.

        One that is `supervised` is started again when it ends meanwhile, as a worker does that
        Kafka leaves just then.
        """
        port = free_port()
        env = {
            **former.env,
            "NOTISTREAM_PORT" if former.role == "api" else "NOTISTREAM_WORKER_PORT": str(port),
        }
        process = await self._start(former.role, env, port)
        await self._up(process, patience_s=patience_s, supervised=supervised)
        return process

    async def _up(
        self, process: Process, *, patience_s: float = PATIENCE_S, supervised: bool = False
    ) -> None:
        """Wait until an API answers, or a worker is ready."""

        async def up() -> bool:
            if supervised and not process.alive:
                await process.start()
            assert process.alive, f"the {process.role} ended while it started\n{process.tail()}"
            return await (
                self._answers(process) if process.role == "api" else self._status(process, 200)
            )

        await until(
            up, what=f"the {process.role} to be up, see {process.log}", patience_s=patience_s
        )

    async def ready(self, process: Process, *, patience_s: float = PATIENCE_S) -> None:
        await until(
            lambda: self._status(process, 200),
            what=f"{process.role} to be ready",
            patience_s=patience_s,
        )

    async def _answers(self, process: Process) -> bool:
        try:
            async with self.http.get(f"{process.url}/livez") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def _status(self, process: Process, wanted: int) -> bool:
        try:
            async with self.http.get(f"{process.url}/health/ready") as answer:
                return answer.status == wanted
        except aiohttp.ClientError:
            return False

    @property
    def base(self) -> str:
        return next(p.url for p in self.processes if p.role == "api" and p.alive)

    async def call(
        self, method: str, path: str, body: Any = None, **options: Any
    ) -> tuple[int, Any]:
        """Call the API; status and JSON."""
        async with self.http.request(method, f"{self.base}{path}", json=body, **options) as answer:
            return answer.status, await answer.json(content_type=None)

    async def create(self, **fields: Any) -> str:
        """Create a notification that must be accepted; its id."""
        body = {"channel": "sms", "recipient": "+905000000001", "content": "hi", **fields}
        status, answer = await self.call("POST", "/api/v1/notifications", body)
        assert status == 202, answer
        return str(answer["id"])

    async def batch(self, items: list[dict[str, Any]]) -> str:
        """Create a batch that must be accepted whole; its id."""
        status, answer = await self.call(
            "POST", "/api/v1/notifications/batch", {"notifications": items}
        )
        assert status == 202, answer
        assert answer["batch"]["rejected_count"] == 0
        return str(answer["batch"]["id"])

    async def get(self, notification_id: str) -> dict[str, Any]:
        status, answer = await self.call("GET", f"/api/v1/notifications/{notification_id}")
        assert status == 200, answer
        return dict(answer)

    async def ended(
        self, notification_id: str, *, patience_s: float = PATIENCE_S
    ) -> dict[str, Any]:
        """The notification once it is in a terminal status."""

        async def final() -> dict[str, Any] | None:
            found = await self.get(notification_id)
            return found if found["final"] else None

        found: dict[str, Any] = await until(
            final, what=f"{notification_id} to end", patience_s=patience_s
        )
        return found

    async def batch_ended(self, batch_id: str, *, patience_s: float = PATIENCE_S) -> dict[str, Any]:
        """The batch once nothing of it is pending."""

        async def final() -> dict[str, Any] | None:
            _, found = await self.call("GET", f"/api/v1/batches/{batch_id}")
            return dict(found) if found["pending_count"] == 0 else None

        found: dict[str, Any] = await until(
            final, what=f"batch {batch_id} to end", patience_s=patience_s
        )
        return found

    async def metric(self, process: Process, name: str, **labels: str) -> float:
        """Sum of a sample over its other labels."""
        async with self.http.get(f"{process.url}/metrics") as answer:
            text = await answer.text()
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and all(sample.labels.get(k) == v for k, v in labels.items())
        )


@asynccontextmanager
async def stack(
    *, database_url: str, brokers: str, prefix: str, folder: Path, **settings: str
) -> AsyncIterator[Stack]:
    """A stack whose processes are ended with the block."""
    names = {f"NOTISTREAM_{name}": value for name, value in settings.items()}
    async with Stack(
        database_url=database_url, brokers=brokers, prefix=prefix, folder=folder, settings=names
    ) as running:
        yield running


@pytest.fixture
async def running(
    endpoints: Endpoints, database_url: str, topics_prefix: str, tmp_path: Path
) -> AsyncIterator[tuple[Stack, Receiver]]:
    """A receiver, an API and a way to start workers."""
    async with (
        receiver() as ledger,
        stack(
            database_url=database_url,
            brokers=endpoints.kafka_brokers,
            prefix=topics_prefix,
            folder=tmp_path,
            WEBHOOK_URL=ledger.url,
        ) as product,
    ):
        await product.api()
        yield product, ledger


def messages(
    count: int, recipients: int | None = None, start: int = 0, **fields: Any
) -> list[dict[str, Any]]:
    """Items of a batch: to so many recipients in turn, numbered from `start`.

    The content counts from 0.
    """
    recipients = recipients or count
    return [
        {
            "channel": "sms",
            "recipient": f"+9050{start + i % recipients:08}",
            "content": str(i),
            **fields,
        }
        for i in range(count)
    ]
