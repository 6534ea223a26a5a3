"""Service processes that outlive us: start them detached, find them by command line, end them."""

import json
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from notistream.local.errors import LocalServicesError, load

if TYPE_CHECKING:
    from psutil import Process


@dataclass(frozen=True, slots=True)
class Record:
    """What services.json keeps of one service: its last process and the ports to use again."""

    pid: int
    ports: tuple[int, ...] = ()


class Registry:
    """The file services.json; both services write it, each from a thread of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def get(self, name: str) -> Record | None:
        entry = self._read().get(name)
        return Record(entry["pid"], tuple(entry["ports"])) if entry else None

    def put(self, name: str, record: Record) -> None:
        with self._lock:
            text = json.dumps({**self._read(), name: asdict(record)}, indent=2)
            new = self._path.with_suffix(".new")
            new.write_text(text + "\n")
            new.replace(self._path)

    def _read(self) -> dict[str, Any]:
        # An unreadable file costs nothing but the port: processes are also found by their command
        # line.
        with suppress(OSError, ValueError):
            content = json.loads(self._path.read_text())
            if isinstance(content, dict):
                return content
        return {}


def spawn(argv: Sequence[str], *, log: Path, cwd: Path) -> int:
    """Start a process that belongs to nobody: own session, no parent that must reap it.

    Return its pid.
    """
    command = f"{shlex.join(argv)} </dev/null >>{shlex.quote(str(log))} 2>&1 & echo $!"
    shell = subprocess.run(  # noqa: S603 - every word is quoted
        ["/bin/sh", "-c", command],
        cwd=cwd,
        start_new_session=True,
        capture_output=True,
        text=True,
        check=False,
    )
    if shell.returncode != 0 or not shell.stdout.strip().isdigit():
        raise LocalServicesError(f"{argv[0]} could not be started: {shell.stderr.strip()}")
    return int(shell.stdout)


def find(pid: int | None, argument: str) -> "Process | None":
    """Return the live process whose command line has this argument; `pid` is tried first."""
    psutil = load("psutil")
    if pid is not None and (known := _match(pid, argument)):
        return known
    for process in psutil.process_iter():
        if found := _match(process.pid, argument):
            return found
    return None


def begun(pid: int, argument: str, *, timeout: float = 10.0) -> "Process | None":
    """Return a process that was just spawned, once it runs its program.

    None where it has ended instead.

    Between the shell's fork and its exec the process still has the shell's command line.
    """
    found: list[Process] = []

    def settled() -> bool:
        found.extend(filter(None, [_match(pid, argument)]))
        return bool(found) or _gone(pid)

    wait_for(settled, timeout)
    return found[0] if found else None


def inside(folder: Path, name: str) -> "list[Process]":
    """Return the live processes of that program whose working directory is the folder."""
    psutil = load("psutil")
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.name() == name and process.cwd() == str(folder) and alive(process):
                found.append(process)
    return found


def _match(pid: int, argument: str) -> "Process | None":
    psutil = load("psutil")
    with suppress(psutil.Error):
        process: Process = psutil.Process(pid)
        if argument in process.cmdline() and alive(process):
            return process
    return None


def _gone(pid: int) -> bool:
    psutil = load("psutil")
    try:
        return not alive(psutil.Process(pid))
    except psutil.NoSuchProcess:
        return True


def alive(process: "Process") -> bool:
    """Tell whether it still runs; one that only waits to be reaped does not."""
    psutil = load("psutil")
    with suppress(psutil.Error):
        if process.status() == psutil.STATUS_ZOMBIE:
            # A killed program with many threads looks like that too, while the others still hold
            # its ports.
            return bool(process.num_threads() > 1)
        return bool(process.is_running())
    return False


def end(process: "Process", sig: signal.Signals = signal.SIGTERM, *, grace: float = 15.0) -> None:
    """Send the signal, wait up to `grace` seconds, then kill."""
    with suppress(load("psutil").NoSuchProcess):
        process.send_signal(sig)
        if not wait_for(lambda: not alive(process), grace):
            process.kill()
            wait_for(lambda: not alive(process), 5.0)


def wait_for(condition: Callable[[], bool], timeout: float, *, step: float = 0.02) -> bool:
    """Poll until the condition holds (True) or `timeout` seconds have passed (False)."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(step)
    return True
