"""Counts the tasks of a process and writes the number to a file at its end.

Python imports it before all else.
"""

import asyncio
import atexit
import itertools
import os
from pathlib import Path
from typing import Any

_numbers = itertools.count()


class _Counted(asyncio.Task):  # type: ignore[type-arg]
    def __init__(self, *arguments: Any, **options: Any) -> None:
        next(_numbers)
        super().__init__(*arguments, **options)


if path := os.environ.get("COUNT_TASKS"):
    asyncio.Task = asyncio.tasks.Task = _Counted  # type: ignore[misc]
    atexit.register(
        lambda: Path(path.format(pid=os.getpid())).write_text(str(next(_numbers)), "utf-8")
    )
