"""A windowed Faust table of counts, by wall-clock windows, whose changelog is written in bursts.

Faust would follow the time stamps of events (one from the future switches a limiter off), send a
changelog record per change, and remember every change until its window expires. Here the window is
given, of the values that a key takes within a few milliseconds only the last is sent, and RocksDB
itself drops what is old.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

import orjson
from faust import Table
from faust.types import TP, EventT, TableT

from notistream.app import NotiStream
from notistream.compat import rocksdict

log = logging.getLogger(__name__)

KEPT_WINDOWS = 10
KEEP_PATIENCE_S = 3.0
ROCKSDB = {
    "write_buffer_size": 1 << 20,
    "max_write_buffer_number": 2,
    "target_file_size_base": 4 << 20,
    "block_cache_size": 2 << 20,
    "max_open_files": 64,
}
"""Per partition: about 4 MB, and the indexes of open files.

Larger ones were no faster; Faust's own options take gigabytes.
"""

Write = Callable[[str, int, Sequence[tuple[bytes, bytes]]], Awaitable[int]]
"""Appends (key, value) records to a topic's partition, answers the offset of the last.

Raises when Kafka did not.
"""


class WindowCounter(Table[Any, int]):
    """Counts per key and wall-clock window of `window_s` seconds.

    Changes are written in bursts, one after the other: what comes while one is on its way, and
    `gather_s` seconds more, is the next.
    """

    def __init__(
        self, app: NotiStream, *, name: str, window_s: int, gather_s: float, write: Write
    ) -> None:
        super().__init__(
            app,
            name=name,
            default=int,
            options={**ROCKSDB, "ttl": KEPT_WINDOWS * window_s},
            beacon=app.tables.beacon,
        )
        self.tumbling(window_s, expires=KEPT_WINDOWS * window_s)
        self._notistream = app
        self._window_s = window_s
        self._gather_s = gather_s
        self._write = write
        self._dirty: dict[int, dict[bytes, bytes]] = {}
        self._burst: asyncio.Task[bool] | None = None
        """Takes what is dirty."""
        self._sent: asyncio.Task[bool] | None = None
        """The burst before."""
        self._appends: set[asyncio.Task[None]] = set()
        self._owned: tuple[int, frozenset[int]] = (-1, frozenset())

    def count(self, partition: int, key: str, at: float, *, add: int = 0) -> int:
        """Add to the count of a key in the window of `at` (seconds since 1970); the new count.

        Only for partitions that are this worker's: see `owns`. Uses the partition's RocksDB: a
        `Table` would look a key up four times and encode it as often.
        """
        begin = int(at // self._window_s) * self._window_s
        name = orjson.dumps([key, [begin, begin + self._window_s]])
        store = rocksdict.partition_store(self.data, partition)
        counted = int(store.get(name) or 0) + add
        if add:
            value = b"%d" % counted
            store.put(name, value)
            self._note(partition, name, value)
        return counted

    def look(self, partition: int, key: str, at: float) -> int:
        """What was counted of a key in one of this worker's partitions; 0 for those of others."""
        return self.count(partition, key, at) if rocksdict.is_open(self.data, partition) else 0

    def owns(self, event: EventT[bytes]) -> bool:
        """Whether the event's partition is still this worker's.

        A later write would reopen its store.
        """
        message, generation = event.message, self._notistream.consumer_generation_id
        if message.generation_id != generation or self._notistream.rebalancing:
            return False
        return message.partition in self._partitions(generation)

    def _partitions(self, generation: int) -> frozenset[int]:
        """This worker's partitions of the table; a generation of the group never changes them."""
        if self._owned[0] != generation:
            topic = self.changelog_topic_name
            actives = self._notistream.assignor.assigned_actives()
            self._owned = generation, frozenset(tp.partition for tp in actives if tp.topic == topic)
        return self._owned[1]

    async def kept(self) -> bool:
        """Wait until all that was counted until now is on the changelog topic.

        False where Kafka did not in time.
        """
        return self._burst is None or await asyncio.shield(self._burst)

    def _note(self, partition: int, name: bytes, value: bytes) -> None:
        """Note a change for the next burst."""
        self._dirty.setdefault(partition, {})[name] = value
        if self._burst is None:
            self._burst = asyncio.get_running_loop().create_task(self._send_burst())

    def _should_expire_keys(self) -> bool:
        return False  # RocksDB does it

    async def _send_burst(self) -> bool:
        if self._sent is not None:
            await asyncio.wait([self._sent])
        await asyncio.sleep(self._gather_s)
        dirty, self._dirty, self._sent, self._burst = self._dirty, {}, self._burst, None
        appends = {
            asyncio.create_task(self._append(partition, values))
            for partition, values in dirty.items()
        }
        self._appends |= appends
        for append in appends:
            append.add_done_callback(self._appended)
        _, late = await asyncio.wait(appends, timeout=KEEP_PATIENCE_S)  # one clock for all who wait
        return not late and not any(append.cancelled() or append.exception() for append in appends)

    def _appended(self, append: "asyncio.Task[None]") -> None:
        self._appends.discard(append)
        if not append.cancelled() and (error := append.exception()):
            log.warning(
                "counts could not be kept", extra={"table": self.name, "error": repr(error)}
            )

    async def _append(self, partition: int, values: dict[bytes, bytes]) -> None:
        topic = self.changelog_topic_name
        offset = await self._write(topic, partition, list(values.items()))
        if partition in self._partitions(self._notistream.consumer_generation_id):
            self.data.set_persisted_offset(TP(topic, partition), offset)


def add_table(app: NotiStream, table: WindowCounter) -> WindowCounter:
    """Make a table known to the app, so that it is recovered before any agent begins."""
    app.tables.add(cast("TableT[Any, Any]", table))
    return table
