"""What a process holds: sockets, other files, threads, tasks of its event loop.

Before a load and after it.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import astuple, dataclass

import psutil

from tests.stack import Process, Stack, until

CALM = {"sockets": 40, "files": 30, "threads": 12, "tasks": 40}
"""So much more than before may be: pools and connections that are kept for the next call, files of
tables.
"""


@dataclass(frozen=True, slots=True)
class Level:
    """How much of each kind a process holds."""

    sockets: int
    files: int
    threads: int
    tasks: int

    def above(self, before: "Level") -> Counter[str]:
        """By how much each kind is beyond what is allowed."""
        return Counter(
            {
                kind: over
                for kind, allowed in CALM.items()
                if (over := getattr(self, kind) - getattr(before, kind) - allowed) > 0
            }
        )


async def levels(product: Stack) -> dict[Process, Level]:
    """What each of its processes holds now."""
    return {process: await _level(product, process) for process in product.processes}


async def calm_again(product: Stack, before: Mapping[Process, Level]) -> None:
    """Wait until no process of it holds more than is allowed beyond what the highest of its role
    held before.
    """
    for process in product.processes:
        if process.alive:
            role = [level for other, level in before.items() if other.role == process.role]
            highest = Level(*map(max, zip(*map(astuple, role), strict=True)))
            await until(
                lambda p=process, h=highest: _is_calm(product, p, h),
                what=f"a {process.role} that held {highest} to hold no more than {CALM} beyond it",
            )


async def _is_calm(product: Stack, process: Process, before: Level) -> bool:
    return not (await _level(product, process)).above(before)


async def _level(product: Stack, process: Process) -> Level:
    assert process.child is not None
    looked = psutil.Process(process.child.pid)
    sockets = len(looked.net_connections(kind="all"))
    tasks = await product.metric(process, "notistream_event_loop_tasks")
    assert tasks, "no process is without a task"
    return Level(sockets, looked.num_fds() - sockets, looked.num_threads(), int(tasks))
