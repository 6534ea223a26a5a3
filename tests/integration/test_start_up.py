"""A worker is ready when its tables are: with 20,000 counts on their changelog it has them all
before it says so.
"""

import signal
import sys
import time
from pathlib import Path

import orjson
import psutil
import pytest
from aiokafka import AIOKafkaProducer
from rocksdict import Options, Rdict

from tests.receiver import Receiver
from tests.stack import Stack

pytestmark = [pytest.mark.integration, pytest.mark.full, pytest.mark.timeout(300)]
KEYS = 20_000
AT_ONCE = 5_000
WINDOW_S = 600
PARTITIONS = 2


async def keep(brokers: str, topic: str) -> None:
    """Write counts of the running window to a changelog, as a worker would have."""
    begin = int(time.time() // WINDOW_S) * WINDOW_S
    producer = AIOKafkaProducer(
        bootstrap_servers=brokers, max_batch_size=900_000, max_request_size=1_000_000
    )
    await producer.start()
    try:
        for first in range(0, KEYS, AT_ONCE):
            batch = producer.create_batch()
            for n in range(first, first + AT_ONCE):
                name = orjson.dumps([f"recipient-{n}", [begin, begin + WINDOW_S]])
                assert batch.append(key=name, value=b"3", timestamp=None)
            await (await producer.send_batch(batch, topic, partition=first // AT_ONCE % PARTITIONS))
    finally:
        await producer.stop()


def restored(folder: Path) -> int:
    """How many counts there are in the files of a table."""
    found = 0
    for path in folder.rglob("*.db"):
        table = Rdict(str(path), options=Options(raw_mode=True))
        found += sum(key.startswith(b'["recipient-') for key in table.keys())  # noqa: SIM118 - not a dict
        table.close()
    return found


async def test_a_worker_that_is_ready_has_all_its_counts(
    running: tuple[Stack, Receiver], endpoints, topics_prefix: str, tmp_path: Path
) -> None:
    product, _ = running
    await product.run("topics")
    await keep(endpoints.kafka_brokers, f"{topics_prefix}-recipient-usage-changelog")
    worker = await product.worker(wait=False, RECIPIENT_RATE_LIMIT=f"60/{WINDOW_S // 60}m")
    await product.ready(worker, patience_s=240)
    assert worker.child is not None
    used = psutil.Process(worker.child.pid).cpu_times()
    sys.stdout.write(f"{used.user + used.system:.1f} s of CPU until ready\n")
    await worker.kill(signal.SIGTERM)
    assert restored(tmp_path / "worker-0") == KEYS
