"""CPU seconds of each part of the machine that takes part, read from the operating system."""

from collections.abc import Callable, Mapping
from contextlib import suppress

import psutil

Usage = dict[str, float]


class Meter:
    """Reads the CPU time of parts: `name → process`, None for one that runs on another machine."""

    def __init__(self, parts: Mapping[str, Callable[[], psutil.Process | None]]) -> None:
        self._parts = parts

    def read(self) -> Usage:
        """CPU seconds of each part since its start, its children and former children included."""
        return {
            name: _seconds(process)
            for name, find in self._parts.items()
            if (process := find()) is not None
        }

    def since(self, before: Usage) -> Usage:
        """CPU seconds of each part that was there before and is still."""
        return {name: now - before[name] for name, now in self.read().items() if name in before}


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    total = float(times.user + times.system + times.children_user + times.children_system)
    for child in process.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            used = child.cpu_times()
            total += float(used.user + used.system)
    return total


def rss_mb(pid: int) -> float:
    """Memory in use, in MB."""
    return float(psutil.Process(pid).memory_info().rss) / 1e6
