"""Private parts of Faust's RocksDB store, which uses rocksdict: the store of one partition."""

from pathlib import Path
from typing import Any


def partition_store(table_data: Any, partition: int) -> Any:
    """The opened store of a table's partition: a `Table` looks a key up four times per count."""
    return table_data._db_for_partition(partition)


def is_open(table_data: Any, partition: int) -> bool:
    """Whether the store of a partition is open, so that looking at it opens nothing."""
    return partition in table_data._dbs


def partition_path(table_data: Any, partition: int) -> Path:
    """The folder of a table's partition."""
    return Path(table_data.partition_path(partition))


def verified_offset(table_data: Any, path: Path) -> int | None:
    """The changelog offset that a partition's files know, after every block was read and verified.

    Raises:
        Exception: RocksDB cannot read them; of whatever kind.
    """
    opened = table_data.rocksdb_options.open(path)
    try:
        kept = opened.get(table_data.offset_key)
        entries = opened.iter()
        entries.seek_to_first()
        while entries.valid():
            entries.next()
        entries.status()  # raises at a broken block, where the loop only ends
    finally:
        opened.close()
    return None if kept is None else int(kept)
