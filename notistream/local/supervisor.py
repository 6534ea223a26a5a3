"""A supervisor of child processes: prefixed output, restarts with backoff, one signal stops all."""

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

_BOUND = (sys.executable, "-I", "-S", str(Path(__file__).with_name("bound.py")))
_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_USAGE = 2  # exit status of a program that refuses its settings or arguments
_LONGEST_LINE = 64 * 1024
# How long to listen on once a child has ended; something of it that left its group may hold the
# output open.
_LAST_WORDS_S = 2.0


@dataclass(frozen=True, slots=True)
class Child:
    """A program with its whole environment; the name prefixes each line of its output."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds before a restart: doubles from `first` to `longest`.

    A child that lived for `stable` seconds starts again at `first`.
    """

    first: float = 0.5
    longest: float = 30.0
    stable: float = 30.0

    def delay(self, crashes: int) -> float:
        """Return the wait after that many crashes in a row."""
        return min(self.longest, self.first * 2.0 ** min(crashes - 1, 30))


class Supervisor:
    """`async with Supervisor(…)` hears SIGINT, SIGTERM and SIGHUP; leaving it ends every child.

    It belongs to the main thread: the children are bound to the life of the thread that starts
    them.
    """

    def __init__(
        self,
        write: Callable[[str], None],
        *,
        colour: bool = False,
        grace: float = 20.0,
        backoff: Backoff = Backoff(),
    ) -> None:
        self.stopping = asyncio.Event()
        self.refused = False
        """A child refused its settings at its first start; starting it again would not help."""
        self._impatient = asyncio.Event()
        self._write = write
        self._colour = colour
        self._grace = grace
        self._backoff = backoff
        self._running: set[Process] = set()
        self._keepers: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        for number in _STOPPING:
            asyncio.get_running_loop().add_signal_handler(number, self._on_signal, number)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stop()
        for number in _STOPPING:
            asyncio.get_running_loop().remove_signal_handler(number)

    def keep(self, child: Child) -> None:
        """Start the child, and start it again whenever it ends."""
        self._keepers.append(asyncio.create_task(self._keep(child)))

    async def run(self, child: Child) -> int:
        """Run the child once; return its exit status (negative: the signal that ended it)."""
        # A pipe of our own: with asyncio's, wait() lasts until whatever the child has started lets
        # go of it.
        reading, writing = os.pipe()
        output = asyncio.create_task(self._relay(child.name, reading))
        try:
            process = await asyncio.create_subprocess_exec(
                *_BOUND,
                str(os.getpid()),
                *child.argv,
                env=child.env,
                stdin=DEVNULL,
                stdout=writing,
                stderr=STDOUT,
                start_new_session=True,
            )
        finally:
            os.close(writing)
        self._running.add(process)
        if self.stopping.is_set():
            _signal(process, signal.SIGKILL)  # too late to begin anything
        status = await process.wait()
        self._running.discard(process)
        _signal(process, signal.SIGKILL)  # the rest of its group
        await asyncio.wait((output,), timeout=_LAST_WORDS_S)
        output.cancel()
        return status

    def _on_signal(self, number: signal.Signals) -> None:
        # make and shells may pass a SIGTERM on twice; only a person presses Ctrl-C again.
        if number == signal.SIGINT and self.stopping.is_set():
            self._impatient.set()
        self.stopping.set()

    async def _keep(self, child: Child) -> None:
        crashes = 0
        while not self.stopping.is_set():
            started = time.monotonic()
            status = await self.run(child)
            if self.stopping.is_set():
                return
            lived = time.monotonic() - started
            if status == _USAGE and crashes == 0 and lived < self._backoff.stable:
                self._write(f"{child.name} cannot start with these settings; its output is above")
                self.refused = True
                self.stopping.set()
                return
            crashes = 1 if lived >= self._backoff.stable else crashes + 1
            delay = self._backoff.delay(crashes)
            self._write(
                f"{child.name} ended with status {status}; starting it again in {delay:g} s"
            )
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), delay)

    async def _relay(self, name: str, reading: int) -> None:
        prefix = f"{name:>6} | "
        if self._colour:
            colour = 32 + sum(name.encode()) % 5  # green to cyan; red is for errors
            prefix = f"\x1b[{colour}m{prefix}\x1b[0m"
        stream = asyncio.StreamReader()
        pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(reading, "rb", 0)
        )
        with closing(pipe):
            rest = b""
            while chunk := await stream.read(_LONGEST_LINE):
                *lines, rest = (rest + chunk).split(b"\n")
                if len(rest) >= _LONGEST_LINE:
                    lines, rest = [*lines, rest], b""
                for line in lines:
                    self._write(prefix + line.decode(errors="replace"))
            if rest:
                self._write(prefix + rest.decode(errors="replace"))

    async def _stop(self) -> None:
        self.stopping.set()
        for process in self._running:
            _signal(process, signal.SIGTERM)
        ends = [asyncio.create_task(process.wait()) for process in self._running]
        if ends:
            impatient = asyncio.create_task(self._impatient.wait())
            everyone = asyncio.gather(*ends)
            await asyncio.wait(
                (everyone, impatient), timeout=self._grace, return_when=asyncio.FIRST_COMPLETED
            )
            impatient.cancel()
            for process in self._running:
                _signal(process, signal.SIGKILL)
            await everyone
        await asyncio.gather(*self._keepers)


def _signal(process: Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
