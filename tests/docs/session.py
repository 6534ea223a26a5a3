"""One reader at work: a shell and a Python that stay open while the blocks of a page are run in
them.
"""

import asyncio
import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.docs.blocks import ROOT

PATIENCE_S = 180.0
DONE = "== the block ends with"
PRELUDE = r"""
set -eo pipefail
curl() { command curl --silent --show-error --fail-with-body "$@"; }
eventually() { until eval "$1" >/dev/null 2>&1; do sleep 0.1; done; }
make() {
  command make --dry-run --no-print-directory --directory="$ROOT" "$@" >/dev/null
  case $1 in
    seed) notistream seed ;;
    e2e) python "$ROOT/tests/e2e/walkthrough.py" ;;
  esac
}
"""
PYTHON = """
import ast, asyncio, inspect, sys, traceback
names = {"__name__": "__main__"}
runner = asyncio.Runner()
while size := sys.stdin.buffer.readline():
    source, failed = sys.stdin.buffer.read(int(size)).decode(), 0
    try:
        code = compile(source, "block", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        if code.co_flags & inspect.CO_COROUTINE:
            async def awaited(): await eval(code, names)
            runner.run(awaited())
        else:
            exec(code, names)
    except BaseException:
        failed = 1
        traceback.print_exc(file=sys.stdout)
    print(f"\\n{DONE} {failed}", flush=True)
"""


class BlockFailed(AssertionError):
    """It ended with an error, or not at all."""


class Interpreter:
    """A program that runs one block after the other, and says after each how it ended."""

    def __init__(self, *argv: str, env: dict[str, str], folder: Path) -> None:
        self._argv, self._env, self._folder = argv, env, folder
        self._child: asyncio.subprocess.Process | None = None

    async def start(self, first: str) -> None:
        self._child = await asyncio.create_subprocess_exec(
            *self._argv,
            cwd=self._folder,
            env=self._env,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            limit=2**24,
        )
        if first:
            await self.ask(first)

    async def ask(self, sent: str) -> str:
        """Send a block; what it printed. Raises BlockFailed."""
        assert self._child
        assert self._child.stdin
        output: list[str] = []
        self._child.stdin.write(sent.encode())
        try:
            status = await asyncio.wait_for(self._end(output), PATIENCE_S)
        except TimeoutError:
            status = f"no end within {PATIENCE_S:g} s"
        text = "".join(output).removesuffix("\n")
        if status != "0":
            raise BlockFailed(f"{text}\nended with: {status}")
        return text

    async def _end(self, output: list[str]) -> str:
        assert self._child
        assert self._child.stdout
        while line := (await self._child.stdout.readline()).decode(errors="replace"):
            if line.startswith(DONE):
                return line.removeprefix(DONE).strip()
            output.append(line)
        return "an error"

    async def stop(self) -> None:
        if self._child:
            with suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)
            await self._child.wait()


class Session:
    """A reader's terminal in a folder of its own."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.folder = folder
        commands = folder / ".bin"
        commands.mkdir()
        for name, run in {"python": "", "python3": "", "notistream": "-m notistream"}.items():
            (commands / name).write_text(f'#!/bin/sh\nexec {sys.executable} {run} "$@"\n')
            (commands / name).chmod(0o755)
        self._env = {
            **env,
            "PATH": f"{commands}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "ROOT": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "NO_COLOR": "1",
            "COLUMNS": "140",
        }
        self._shell = self._interpreter("bash", "--noprofile", "--norc")
        self._python = self._interpreter(sys.executable, "-c", PYTHON.replace("{DONE}", DONE))
        self._blocks = 0

    def _interpreter(self, *argv: str) -> Interpreter:
        return Interpreter(*argv, env=self._env, folder=self.folder)

    async def __aenter__(self) -> Self:
        await self._shell.start(f"{PRELUDE}\nprintf '{DONE} 0\\n'\n")
        await self._python.start("")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._shell.stop()
        await self._python.stop()

    async def shell(self, text: str, *, fails: bool = False) -> str:
        """Run commands.

        The shell keeps its variables and functions, and ends where one fails unforeseen.
        """
        self._blocks += 1
        script = self.folder / ".bin" / f"block-{self._blocks}.sh"
        script.write_text(text)
        run = f". {script} </dev/null"
        if fails:
            run = (
                f"set +e; (set -e; {run}); [ $? -ne 0 ] || {{ echo 'it should have failed'; exit 1;"
                " }; set -e"
            )
        return await self._shell.ask(f"{run}\nprintf '\\n{DONE} %d\\n' $?\n")

    async def python(self, text: str) -> str:
        """Run Python; names stay, and `await` may stand at the top."""
        source = text.encode()
        return await self._python.ask(f"{len(source)}\n{text}")

    async def javascript(self, text: str) -> str:
        """Run an ES module of its own."""
        self._blocks += 1
        module = self.folder / f"block-{self._blocks}.mjs"
        module.write_text(text)
        return await self.shell(f"node --experimental-websocket --no-warnings {module}\n")


def commands(text: str) -> list[tuple[str, str]]:
    """What stands behind each `$ ` of a console, and what is shown below it."""
    found: list[tuple[str, str]] = []
    for part in re.split(r"^\$ ", text, flags=re.M)[1:]:
        lines = part.splitlines(keepends=True)
        length = next((n for n in range(1, len(lines)) if is_whole("".join(lines[:n]))), len(lines))
        found.append(("".join(lines[:length]), "".join(lines[length:])))
    return found


def paragraphs(text: str) -> list[str]:
    """A script in parts that can be run one by one: at empty lines, where no command goes on."""
    found = [""]
    for part in re.split(r"(?<=\n)\n+", text):
        found[-1] += part
        if is_whole(found[-1]):
            found.append("")
        else:
            found[-1] += "\n"
    return [part for part in found if part.strip()]


def is_whole(script: str) -> bool:
    """Whether no quote, block or document is open at its end."""
    checked = subprocess.run(
        ["bash", "-n"], input=script, capture_output=True, text=True, check=False
    )
    return not checked.returncode and not checked.stderr and not script.endswith("\\\n")
