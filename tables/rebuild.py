"""Before a worker starts: delete local table files that cannot be used, so that they are rebuilt.

Faust stops for good at a file that knows more than its changelog (it was restored, or the topic was
made anew), and at one that RocksDB cannot read.
"""

import asyncio
import gc
import logging
import shutil
from pathlib import Path

from aiokafka.structs import TopicPartition

from notistream.app import NotiStream
from notistream.compat import rocksdict
from notistream.kafka import clients
from notistream.tables.window_counter import WindowCounter

log = logging.getLogger(__name__)


async def discard_unusable(app: NotiStream) -> list[Path]:
    """Delete them once the topics are prepared, before Faust opens any; the deleted folders."""
    tables = [table for table in app.tables.values() if isinstance(table, WindowCounter)]
    changelogs = {table.changelog_topic_name: table for table in tables}
    ends = await _ends(app, list(changelogs))
    deleted = []
    for place, end in ends.items():
        table = changelogs[place.topic]
        path = rocksdict.partition_path(table.data, place.partition)
        fault = await asyncio.to_thread(_fault, table, path, end)
        if fault:
            log.warning("table file is rebuilt", extra={"path": str(path), "reason": fault})
            # An error's traceback may hold the file open. Only now, because it takes 75 ms.
            gc.collect()
            shutil.rmtree(path)
            deleted.append(path)
    return deleted


def _fault(table: WindowCounter, path: Path, end: int) -> str | None:
    if not path.exists():
        return None
    try:
        known = rocksdict.verified_offset(table.data, path)
    except Exception as exc:  # noqa: BLE001 - whatever is wrong with it, it can be rebuilt
        return f"it cannot be read: {exc}"
    if known is not None and known >= end:
        return f"it knows offset {known}, and the changelog ends before {end}"
    return None


async def _ends(app: NotiStream, topics: list[str]) -> dict[TopicPartition, int]:
    """The end of each partition of the changelogs."""
    consumer = clients.consumer(app.settings.kafka)
    try:
        await consumer.start()
        partitions = [TopicPartition(t, p) for t in topics for p in range(app.partitions)]
        return dict(await consumer.end_offsets(partitions))
    finally:
        await consumer.stop()
