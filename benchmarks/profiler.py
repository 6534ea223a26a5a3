"""py-spy beside a busy process: a flame graph (SVG), or raw stacks to count."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

PY_SPY = Path(sys.executable).with_name("py-spy")
FORMATS = {"svg": "flamegraph", "txt": "raw"}


@asynccontextmanager
async def recording(pid: int, path: Path) -> AsyncIterator[None]:
    """Record the process while the block runs, into a file with the suffix .svg or .txt."""
    path.parent.mkdir(parents=True, exist_ok=True)
    child = await asyncio.create_subprocess_exec(
        str(PY_SPY),
        "record",
        "--pid",
        str(pid),
        "--rate",
        "200",
        "--gil",
        "--threads",
        "--format",
        FORMATS[path.suffix[1:]],
        "--output",
        str(path),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        if child.returncode is None:
            child.send_signal(signal.SIGINT)  # it writes the file then
        await asyncio.wait_for(child.wait(), 60)
