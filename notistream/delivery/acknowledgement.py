"""Acknowledgement in offset order: a record is acknowledged when it and all before it are settled.

Faust commits past a record that is still open when a later one is acknowledged first, so the order
is ours to keep.
"""

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class _Open:
    acknowledge: Callable[[], object]
    abandon: Callable[[], object]
    settled: bool = False


class InOrder:
    """Acknowledges the records of each partition in the order in which they were added."""

    def __init__(self) -> None:
        self._partitions: dict[Hashable, deque[_Open]] = {}

    def add(
        self, partition: Hashable, acknowledge: Callable[[], object], abandon: Callable[[], object]
    ) -> Callable[[], None]:
        """Open a record, the latest of its partition; call the answer once it is settled."""
        record = _Open(acknowledge, abandon)
        records = self._partitions.setdefault(partition, deque())
        records.append(record)

        def settle() -> None:
            record.settled = True
            if self._partitions.get(partition) is records:
                while records and records[0].settled:
                    records.popleft().acknowledge()

        return settle

    def forget(self) -> None:
        """Abandon all that is open instead: its partitions may belong to another worker now."""
        partitions, self._partitions = self._partitions, {}
        for records in partitions.values():
            for record in records:
                record.abandon()

    def __len__(self) -> int:
        return sum(len(records) for records in self._partitions.values())
