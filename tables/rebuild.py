"""Before a worker starts: throw away local table files that cannot be used, so that they are rebuilt.

Faust stops for good at a file that knows more than its changelog (restored, or the topic was made anew), and at one
that RocksDB cannot read.
"""

import asyncio
import gc
import logging
import shutil
from pathlib import Path
from typing import Any, cast

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from notistream.app import NotiStream
from notistream.tables.window_counter import WindowCounter

log = logging.getLogger(__name__)


async def discard_unusable(app: NotiStream) -> list[Path]:
    """The folders that were thrown away.

    Called after the topics are prepared, before Faust opens any file.
    """
    tables = [table for table in app.tables.values() if isinstance(table, WindowCounter)]
    ends = await _ends(app, [table.changelog_topic_name for table in tables])
    found = []
    for table in tables:
        for partition in range(app.settings.topic_partitions):
            end = ends.get(TopicPartition(table.changelog_topic_name, partition), 0)
            path = cast("Any", table.data).partition_path(partition)
            fault = await asyncio.to_thread(_fault, table, path, end)
            if fault:
                log.warning("table file is rebuilt", extra={"path": str(path), "reason": fault})
                gc.collect()  # an error's traceback may hold the file open; only now, because it takes 75 ms
                shutil.rmtree(path)
                found.append(path)
    return found


def _fault(table: WindowCounter, path: Path, end: int) -> str | None:
    if not path.exists():
        return None
    store = cast("Any", table.data)
    try:
        opened = store.rocksdb_options.open(path)
        try:
            kept = opened.get(store.offset_key)
            entries = opened.iter()
            entries.seek_to_first()
            while entries.valid():  # reads, and so verifies, every block
                entries.next()
            entries.status()  # at a broken one it only ends, as after the last; this raises
        finally:
            opened.close()
    except Exception as exc:  # noqa: BLE001 - whatever is wrong with it, it can be rebuilt
        return f"it cannot be read: {exc}"
    if kept is not None and int(kept) >= end:
        return f"it knows offset {int(kept)}, and the changelog ends before {end}"
    return None


async def _ends(app: NotiStream, topics: list[str]) -> dict[TopicPartition, int]:
    consumer = AIOKafkaConsumer(**app.settings.kafka.options, group_id=None)
    try:
        await consumer.start()
        partitions = [
            TopicPartition(topic, p)
            for topic in topics
            for p in range(app.settings.topic_partitions)
        ]
        return dict(await consumer.end_offsets(partitions))
    finally:
        await consumer.stop()
