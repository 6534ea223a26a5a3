"""Child processes of a run, each in a session of its own, and always ended."""

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).parents[1]
STOP_S = 30.0
T = TypeVar("T")


class BenchError(Exception):
    """The run cannot go on; the message says why."""


@dataclass(frozen=True, slots=True)
class Role:
    """A running process that serves HTTP."""

    pid: int
    port: int
    log: Path = Path(os.devnull)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def until(
    condition: Callable[[], Awaitable[T]],
    *,
    what: str,
    patience_s: float = 60.0,
    step_s: float = 0.05,
) -> T:
    """Wait until the condition's value is true, and return it.

    Raises:
        BenchError: it was not within `patience_s`.
    """
    deadline = asyncio.get_running_loop().time() + patience_s
    while not (value := await condition()):
        if asyncio.get_running_loop().time() > deadline:
            raise BenchError(f"waited {patience_s:g} s for {what}")
        await asyncio.sleep(step_s)
    return value


async def listening(port: int) -> None:
    """Wait until something accepts connections there."""

    async def accepts() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    await until(accepts, what=f"port {port} to answer", patience_s=20)


@asynccontextmanager
async def running(
    *argv: str, env: Mapping[str, str] | None = None, log: Path | None = None, cwd: Path = ROOT
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m argv…`, ended with the block; without `log` its standard output can be read."""
    output = log.open("ab") if log else None
    try:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *argv,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            start_new_session=True,
            limit=1 << 26,
            stdout=output or asyncio.subprocess.PIPE,
            stderr=output,
        )
    finally:
        if output:
            output.close()
    try:
        yield child
    finally:
        await _end(child)


@asynccontextmanager
async def serving(module: str, *argv: str) -> AsyncIterator[Role]:
    """`python -m module PORT argv…`, which answers when the block begins."""
    port = free_port()
    async with running(module, str(port), *argv) as child:
        await listening(port)
        yield Role(child.pid, port)


async def _end(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        child.terminate()
        try:
            await asyncio.wait_for(child.wait(), STOP_S)
        except TimeoutError:
            child.kill()
            await child.wait()


async def result(child: asyncio.subprocess.Process) -> dict[str, Any]:
    """The JSON object that it prints as its last line before it ends.

    Raises:
        BenchError: it failed; what it said is on standard error.
    """
    assert child.stdout is not None
    lines = (await child.stdout.read()).splitlines()
    if await child.wait() != 0 or not lines:
        raise BenchError(f"a helper process ended with status {child.returncode}")
    found: dict[str, Any] = json.loads(lines[-1])
    return found


async def ask(module: str, **options: Any) -> dict[str, Any]:
    """Run a helper module to its end, its options as JSON; its result."""
    async with running(module, json.dumps(options)) as child:
        return await result(child)


async def finish(*argv: str, env: Mapping[str, str], cwd: Path) -> str:
    """Run a command to its end; what it said.

    Raises:
        BenchError: it failed; carries what it said.
    """
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *argv,
        cwd=cwd,
        env={**os.environ, **env},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await child.communicate()
    if child.returncode != 0:
        raise BenchError(f"`{' '.join(argv)}` failed:\n{said.decode(errors='replace')[-2000:]}")
    return said.decode()
