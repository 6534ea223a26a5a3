"""Lines to both services that can be cut: a process that is given them has its network cut off, and
no other.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit, urlunsplit

from notistream.local import ports
from notistream.local.broker_config import broker_properties
from notistream.local.kafka import Broker
from notistream.local.processes import Registry
from notistream.local.services import LocalServices
from tests.faults.wire import HOST, Streams, Wire
from tests.services import dedicated_folder


class LinedBroker(Broker):
    """A broker with a second listener (`inner`), whose clients are told to come over the line
    (`outer`).
    """

    def __init__(self, inner: int, outer: int, *args: Any) -> None:
        super().__init__(*args)
        self._inner, self._outer = inner, outer

    def _write_config(self, port: int, controller_port: int) -> None:
        properties = broker_properties(
            host=HOST,
            node_id=1,
            port=port,
            controller_port=controller_port,
            voters={1: f"{HOST}:{controller_port}"},
            data_dir="data",
        )
        properties["listeners"] += f",LINE://{HOST}:{self._inner}"
        properties["advertised.listeners"] += f",LINE://{HOST}:{self._outer}"
        properties["listener.security.protocol.map"] = (
            "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,LINE:PLAINTEXT"
        )
        (self._dir / "server.properties").write_text(
            "".join(f"{key}={value}\n" for key, value in properties.items())
        )


@dataclass(frozen=True, slots=True)
class Kafka:
    """A broker: `brokers` leads straight to it, `lined` over the line from `outer` to `inner`."""

    brokers: str
    inner: int
    outer: int

    @property
    def lined(self) -> str:
        return f"{HOST}:{self.outer}"


@contextmanager
def broker_with_a_line() -> Iterator[Kafka]:
    """Yield a running broker; it is stopped and deleted afterwards.

    The line itself is laid by whoever uses it.
    """
    inner, outer = ports.choose(HOST, 2)
    services = LocalServices(dedicated_folder(), _silent, database_url="none", durable=False)
    folder = services.state_dir
    services.kafka = LinedBroker(
        inner, outer, folder / "kafka", Registry(folder / "services.json"), _silent
    )
    services.attach()
    try:
        yield Kafka(services.kafka.brokers, inner, outer)
    finally:
        services.release(delete=True)


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines to both services, and the settings of a process that uses them."""

    wires: dict[str, Wire]
    settings: dict[str, str]

    def cut(self, *services: str) -> None:
        for service in services:
            self.wires[service].cut()

    def mend(self) -> None:
        for wire in self.wires.values():
            wire.mend()


@asynccontextmanager
async def lines_to(kafka: Kafka, database_url: str) -> AsyncIterator[Lines]:
    """Lay both lines; they are gone after the block."""
    where = urlsplit(database_url)
    wires = {
        "Kafka": Wire(partial(asyncio.open_connection, HOST, kafka.inner), kafka.outer),
        "PostgreSQL": Wire(partial(_connect, where)),
    }
    async with wires["Kafka"].up(), wires["PostgreSQL"].up() as line:
        who = where.netloc.rpartition("@")[0]
        lined = urlunsplit(where._replace(netloc=f"{who}@{HOST}:{line.port}", query=""))
        yield Lines(wires, {"DATABASE_URL": lined, "KAFKA_BROKERS": kafka.lined})


async def _connect(where: SplitResult) -> Streams:
    """To PostgreSQL: the embedded one listens on a socket in a folder, which its URL names as the
    host.
    """
    folder = parse_qs(where.query).get("host")
    if folder:
        return await asyncio.open_unix_connection(f"{folder[0]}/.s.PGSQL.{where.port or 5432}")
    return await asyncio.open_connection(where.hostname, where.port or 5432)


def _silent(_line: str) -> None:
    pass
