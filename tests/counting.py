"""`python -m tests.counting ROLE`: the product, with the tasks of its event loop counted.

The number is written to the file that COUNT_TASKS names when the process ends.
"""

import asyncio
import atexit
import itertools
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import uvloop

_numbers = itertools.count()


def _counted(
    loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **options: Any
) -> asyncio.Task[Any]:
    """As a loop makes a task without a factory of its own."""
    next(_numbers)
    return asyncio.Task(coroutine, loop=loop, **options)


class _Policy(uvloop.EventLoopPolicy):
    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        loop = super().new_event_loop()
        loop.set_task_factory(_counted)
        return loop


if __name__ == "__main__":
    from notistream.commands import cli

    target = Path(os.environ["COUNT_TASKS"].format(pid=os.getpid()))
    atexit.register(lambda: target.write_text(str(next(_numbers)), "utf-8"))
    uvloop.install = lambda: asyncio.set_event_loop_policy(_Policy())
    cli()
