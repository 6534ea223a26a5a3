"""Starts processes of the product, if it can from one that has loaded its modules already: half of
what a start costs.

`python -m tests.nursery SOCKET` forks a child for each connection to its socket, which asks in one
line of JSON, and answers with two lines: the child's pid, and its exit status when it has ended.
When its standard input is closed, so by the end of the test run, it ends its children and itself.
"""

import asyncio
import atexit
import gc
import importlib
import json
import os
import runpy
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).parents[1]
PRODUCT = "notistream"
LOADED = (
    "notistream.agents",
    "notistream.tables",
    "notistream.app",
    "notistream.commands.run",
    "notistream.commands.migrate",
    "notistream.commands.topics",
    "notistream.kafka.topics",
    "notistream.web.server.reaper",
    "notistream.web.routes",
    "faust.stores.rocksdb",
    "faust.transport.drivers.aiokafka",
    "faust.web.drivers.aiohttp",
    "uvloop",
)
"""What every role loads; none of it reads a setting, starts a thread or an event loop."""


def environment() -> dict[str, str]:
    """The caller's, without its settings of the product."""
    return {name: value for name, value in os.environ.items() if not name.startswith("NOTISTREAM_")}


class Child:
    """A process that the nursery started; as asyncio's own, of which it has what tests use."""

    def __init__(
        self, pid: int, ended: asyncio.StreamReader, connection: asyncio.StreamWriter
    ) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._connection = connection
        self._ended = asyncio.create_task(self._follow(ended))

    async def _follow(self, ended: asyncio.StreamReader) -> None:
        self.returncode = int(await ended.readline())
        self._connection.close()

    async def wait(self) -> int:
        await asyncio.shield(self._ended)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


async def start(
    *argv: str, env: dict[str, str], output: Path
) -> Child | asyncio.subprocess.Process:
    """`python -m argv…` in the project's root and a session of its own.

    What it says is added to `output`.

    Another program than the product, and one that is told where to look for modules, get an
    interpreter of their own.
    """
    if argv[0] != PRODUCT or "PYTHONPATH" in env:
        with output.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                *argv,
                cwd=ROOT,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
    output.touch()  # noqa: ASYNC240
    reader, writer = await asyncio.open_unix_connection(_nursery())
    writer.write(json.dumps({"argv": argv, "env": env, "output": str(output)}).encode() + b"\n")
    return Child(int(await reader.readline()), reader, writer)


async def run(*argv: str, env: dict[str, str], output: Path) -> tuple[int, str]:
    """The same to its end: exit status, and all that it said."""
    child = await start(*argv, env=env, output=output)
    return await child.wait(), output.read_text("utf-8")  # noqa: ASYNC240


@cache
def _nursery() -> str:
    """The socket of this test run's nursery."""
    folder = tempfile.mkdtemp(prefix="nursery-")
    path = f"{folder}/socket"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.nursery", path],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin
    assert process.stdout
    assert process.stdout.readline() == b"ready\n"
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(process.wait)
    atexit.register(process.stdin.close)
    return path


def main(path: str) -> None:
    """Serve until standard input is closed."""
    for name in LOADED:
        importlib.import_module(name)
    assert threading.active_count() == 1, "a module started a thread: forking would lose it"
    gc.collect()
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as listener, selectors.DefaultSelector() as selector:
        listener.bind(path)
        listener.listen()
        selector.register(sys.stdin, selectors.EVENT_READ)
        selector.register(listener, selectors.EVENT_READ)
        print("ready", flush=True)  # noqa: T201 - its caller waits for it
        children: dict[int, tuple[int, socket.socket]] = {}
        while True:
            for key, _ in selector.select():
                if key.fileobj is sys.stdin:
                    for pid, _ in children.values():
                        os.kill(pid, signal.SIGKILL)
                    return
                if key.fileobj is listener:
                    pid, connection = _born(listener)
                    ended = os.pidfd_open(pid)
                    children[ended] = pid, connection
                    selector.register(ended, selectors.EVENT_READ)
                else:
                    selector.unregister(key.fd)
                    _told(*children.pop(key.fd))
                    os.close(key.fd)


def _born(listener: socket.socket) -> tuple[int, socket.socket]:
    connection, _ = listener.accept()
    with connection.makefile() as lines:
        asked = json.loads(lines.readline())
    pid = os.fork()
    if pid == 0:
        _live(asked)
    connection.sendall(b"%d\n" % pid)
    return pid, connection


def _told(pid: int, connection: socket.socket) -> None:
    _, status = os.waitpid(pid, 0)
    with connection:
        connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))


def _live(asked: dict[str, Any]) -> NoReturn:
    """In the child: become what was asked for."""
    status = 1
    try:
        os.setsid()
        output = os.open(asked["output"], os.O_WRONLY | os.O_APPEND)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.closerange(3, 1024)
        os.environ.clear()
        os.environ.update(asked["env"])
        time.tzset()
        module, *sys.argv[1:] = asked["argv"]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as exc:
        status = exc.code if isinstance(exc.code, int) else int(exc.code is not None)
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
    finally:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main(sys.argv[1])
