"""What a process holds open: sockets by the side they lead to, other files, threads; before a load and after it."""

from collections import Counter
from dataclasses import dataclass

import psutil

from tests.stack import Process

CALM = {"sockets": 40, "files": 30, "threads": 12}
"""So much more than before may be: pools and connections that are kept for the next call, files of tables."""


@dataclass(frozen=True, slots=True)
class Level:
    """How much of each kind a process holds."""

    sockets: int
    files: int
    threads: int

    def above(self, before: "Level") -> Counter[str]:
        """By how much each kind is beyond what is allowed."""
        return Counter({
            kind: over for kind, allowed in CALM.items()
            if (over := getattr(self, kind) - getattr(before, kind) - allowed) > 0})


def level_of(process: Process) -> Level:
    """What it holds now."""
    assert process.child is not None
    looked = psutil.Process(process.child.pid)
    sockets = len(looked.net_connections(kind="all"))
    return Level(sockets, looked.num_fds() - sockets, looked.num_threads())
