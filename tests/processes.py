"""Processes of the product for tests, started as users start them: `python -m notistream …`."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PRODUCT = "notistream"


def environment() -> dict[str, str]:
    """The caller's, without its settings of the product."""
    return {name: value for name, value in os.environ.items() if not name.startswith("NOTISTREAM_")}


async def start(*argv: str, env: dict[str, str], output: Path) -> asyncio.subprocess.Process:
    """`python -m argv…` in the project's root and a session of its own.

    What it says is added to `output`.
    """
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


async def run(*argv: str, env: dict[str, str], output: Path) -> tuple[int, str]:
    """The same to its end: exit status, and all that it said."""
    child = await start(*argv, env=env, output=output)
    return await child.wait(), output.read_text("utf-8")  # noqa: ASYNC240
