"""The bare limit of deliveries: an aiokafka → aiohttp loop.

One topic in, one POST out, a commit every second.

A process of its own: `python -m benchmarks.bare_delivery JSON` with brokers, topic, group, url,
in_flight and count (records after which it ends). It prints `ready` once it has its partitions, and
at the end its CPU seconds.
"""

import asyncio
import json
import resource
import sys
from typing import Any

import aiohttp
import orjson
import uvloop
from aiokafka import AIOKafkaConsumer

from benchmarks.messages import TEXT


class Loop:
    """Keeps `in_flight` POSTs under way."""

    def __init__(self, session: aiohttp.ClientSession, url: str, in_flight: int) -> None:
        self._session = session
        self._url = url
        self._room = asyncio.Semaphore(in_flight)
        self._tasks: set[asyncio.Task[None]] = set()

    async def take(self, value: bytes) -> None:
        """Deliver a record, as soon as there is room."""
        await self._room.acquire()
        task = asyncio.create_task(self._post(orjson.loads(value)["id"]))
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._room.release()
        task.result()

    async def _post(self, mark: str) -> None:
        body = orjson.dumps(
            {"to": "+905000000001", "channel": "sms", "content": f"{mark} {TEXT.decode()}"}
        )
        async with self._session.post(
            self._url,
            data=body,
            headers={"Content-Type": "application/json", "Idempotency-Key": mark},
        ) as response:
            orjson.loads(await response.read())

    async def drain(self) -> None:
        """Wait for what is under way."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))


async def run(
    *, brokers: str, topic: str, group: str, url: str, in_flight: int, count: int
) -> dict[str, Any]:
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=brokers,
        group_id=group,
        auto_offset_reset="earliest",
        max_poll_records=500,
        enable_auto_commit=True,
        auto_commit_interval_ms=1000,
    )
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30)
    async with aiohttp.ClientSession(connector=connector) as session:
        await consumer.start()
        try:
            while not consumer.assignment():
                await asyncio.sleep(0.02)
            print("ready", flush=True)
            cpu = _cpu_s()
            await _consume(consumer, Loop(session, url, in_flight), count)
            return {"cpu_s": _cpu_s() - cpu}
        finally:
            await consumer.stop()


async def _consume(consumer: AIOKafkaConsumer, loop: Loop, count: int) -> None:
    seen = 0
    while seen < count:
        for records in (
            await consumer.getmany(timeout_ms=200, max_records=min(500, count - seen))
        ).values():
            seen += len(records)
            for record in records:
                await loop.take(record.value)
    await loop.drain()


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    print(json.dumps(uvloop.run(run(**json.loads(sys.argv[1])))))
