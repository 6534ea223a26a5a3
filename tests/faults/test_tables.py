"""A worker's table of counts is lost or broken on disk: it is had again whole before the worker is
ready.
"""

import asyncio
import hashlib
import shutil
import time

import aiohttp
import orjson
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import DefaultPartitioner
from rocksdict import Options, Rdict

from tests.faults.oracle import judge
from tests.faults.sizes import sized
from tests.stack import messages

WINDOW_S = 600
LIMITED = {"RECIPIENT_RATE_LIMIT": "60/10m"}
COUNTED = 3
AT_ONCE = 5000
PARTITIONS = 2
LOOK_S = 0.02


def lose(folder):
    shutil.rmtree(folder)


def break_one_file(folder):
    """Other bytes in the middle of the largest file of sorted keys."""
    file = max(folder.rglob("*.sst"), key=lambda path: path.stat().st_size)
    text = bytearray(file.read_bytes())
    middle = len(text) // 2
    text[middle : middle + 64] = bytes(byte ^ 0xFF for byte in text[middle : middle + 64])
    file.write_bytes(text)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (lose, "the folder of a worker's tables is deleted"),
        (break_one_file, "a file of a worker's tables is broken"),
    ],
)
async def test_a_table_is_had_again_before_the_worker_is_ready(
    sites, report, tmp_path, fault, said
):
    count = sized(4000, 100_000)
    folder = tmp_path / "worker-0"
    async with sites(**LIMITED) as site:
        await site.product.run("topics")
        await keep(site, count)
        worker = await site.product.worker()
        await site.kill(worker)
        before = counts(folder)
        assert len(before) == count
        fault(folder)
        began = time.monotonic()
        worker = await site.product.worker(wait=False)
        seen = await looks(site, worker)
        seconds = time.monotonic() - began
        assert set(seen) == {
            (200, 503),
            (200, 200),
        }  # alive all the time, and not ready before it was
        await site.load.batch(messages(100))
        verdict = await judge(site, duplicates=0)
        assert await counted_before(site) == [COUNTED] * 100
        await site.kill(worker)
        assert changed(before, counts(folder)) == 100
        report(
            said, f"{count:,} counts; ready {seconds:.1f} s after the start of the process", verdict
        )


async def keep(site, count):
    """Counts on the changelog, as a worker would have written them: of this window and the next."""
    tenant = (await site.query("SELECT id::text FROM tenants WHERE name = 'default'"))[0][0]
    begin = int(time.time() // WINDOW_S) * WINDOW_S
    topic = f"{site.prefix}-recipient-usage-changelog"
    partition_of, partitions = DefaultPartitioner(), list(range(PARTITIONS))
    producer = AIOKafkaProducer(
        bootstrap_servers=site.brokers, max_batch_size=900_000, max_request_size=1_000_000
    )
    await producer.start()
    try:
        for first in range(0, count, AT_ONCE):
            batches = [producer.create_batch() for _ in partitions]
            for n in range(first, min(first + AT_ONCE, count)):
                who = hashlib.sha256(f"+9050{n // 2:08}".encode()).hexdigest()[
                    :32
                ]  # as the records' key has it
                key, at = f"{tenant}:{who}", begin + n % 2 * WINDOW_S
                name = orjson.dumps([f"sms:{key}", [at, at + WINDOW_S]])
                batch = batches[partition_of(key.encode(), partitions, partitions)]
                assert batch.append(key=name, value=b"%d" % COUNTED, timestamp=None)
            for partition, batch in enumerate(batches):
                await (await producer.send_batch(batch, topic, partition=partition))
    finally:
        await producer.stop()


def counts(folder):
    """All counts of recipients in the files of a table."""
    found = {}
    for path in folder.rglob("*.db"):
        if "recipient-usage" not in str(path):
            continue
        table = Rdict(str(path), options=Options(raw_mode=True))
        # Behind each value RocksDB keeps in four bytes when it was written.
        found.update(
            (key, int(value[:-4])) for key, value in table.items() if key.startswith(b'["sms:')
        )
        table.close()
    return found


def changed(before, after):
    """How many counts went up by one; all others are as they were."""
    up = {key for key, value in before.items() if after[key] == value + 1}
    assert all(after[key] == value for key, value in before.items() if key not in up)
    return len(up)


async def looks(site, worker):
    """What both probes said from the first answer until it was ready, each pair once, in order."""
    seen = []
    while not seen or seen[-1] != (200, 200):
        try:
            pair = await site.status(worker, "/livez"), await site.status(worker, "/readyz")
        except aiohttp.ClientConnectionError:
            assert not seen, "it answered before"
        else:
            if pair not in seen:
                seen.append(pair)
        assert worker.alive, worker.tail()
        await asyncio.sleep(LOOK_S)
    return seen


async def counted_before(site):
    """What the gate had counted before each message."""
    rows = await site.query(
        "SELECT (step->'inputs'->>'current')::integer FROM attempts, jsonb_array_elements(steps) AS"
        " step WHERE step->>'gate' = 'recipient_limit'"
    )
    return [row[0] for row in rows]
