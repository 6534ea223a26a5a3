"""Three Kafka brokers that are one cluster: every one a controller too, so that two of them are a
majority.
"""

import base64
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from notistream.local import ports
from notistream.local.broker_config import broker_properties
from notistream.local.kafka import Broker
from notistream.local.processes import Registry
from notistream.local.services import LocalServices
from tests.services import dedicated_folder

HOST = "127.0.0.1"
NODES = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class Member:
    """What one broker has to know of the cluster."""

    node: int
    cluster: str
    listening: dict[int, tuple[int, int]]


class Node(Broker):
    """A broker of a cluster instead of one alone; ports and the cluster's id are given."""

    def __init__(self, member: Member, *args: Any) -> None:
        super().__init__(*args)
        self._member = member

    def _ports(self) -> tuple[int, int]:
        return self._member.listening[self._member.node]

    def _write_config(self, port: int, controller_port: int) -> None:
        voters = {
            node: f"{HOST}:{controller}" for node, (_, controller) in self._member.listening.items()
        }
        properties = broker_properties(
            host=HOST,
            node_id=self._member.node,
            port=port,
            controller_port=controller_port,
            voters=voters,
            data_dir="data",
        )
        text = "".join(f"{key}={value}\n" for key, value in properties.items())
        (self._dir / "server.properties").write_text(text)

    def _cluster_id(self) -> str:
        return self._member.cluster


class Cluster:
    """The brokers by node id, and where clients find them."""

    def __init__(self, nodes: dict[int, Broker], brokers: str) -> None:
        self.nodes = nodes
        self.brokers = brokers

    async def leader(self, topic: str, partition: int = 0) -> int:
        """The node that leads a partition."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.brokers)
        await consumer.start()
        try:
            await consumer._client.force_metadata_update()
            return int(
                consumer._client.cluster.leader_for_partition(TopicPartition(topic, partition))
            )
        finally:
            await consumer.stop()


@contextmanager
def three_brokers() -> Iterator[Cluster]:
    """Yield a running cluster; it is stopped and deleted afterwards."""
    chosen = ports.choose(HOST, 6)
    listening = {node: (chosen[2 * at], chosen[2 * at + 1]) for at, node in enumerate(NODES)}
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    with ExitStack() as stack, ThreadPoolExecutor(len(NODES)) as threads:
        found: dict[int, Broker] = {}
        starting = []
        for node in NODES:
            services = LocalServices(
                dedicated_folder(), _silent, database_url="none", durable=False
            )
            folder = services.state_dir
            services.kafka = found[node] = Node(
                Member(node, cluster, listening),
                folder / "kafka",
                Registry(folder / "services.json"),
                _silent,
            )
            stack.callback(services.release, delete=True)
            starting.append(threads.submit(services.attach))
        for one in starting:
            one.result()
        yield Cluster(found, ",".join(f"{HOST}:{port}" for port, _ in listening.values()))


def _silent(_line: str) -> None:
    pass
