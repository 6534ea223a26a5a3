"""The supervisor: restarts, prefixes, stops all, leaves nothing behind."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable

import psutil
import pytest

from notistream.local.processes import alive, wait_for
from notistream.local.supervisor import Backoff, Child, Supervisor

QUICK = Backoff(first=0.01, longest=0.04)
STUBBORN = (
    "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True);"
    " signal.pause()"
)
HOLD = """
import asyncio, sys
from notistream.local.supervisor import Child, Supervisor
async def main():
    async with Supervisor(lambda line: print(line, flush=True)) as supervisor:
        for name in "ab":
            supervisor.keep(Child(name, (sys.executable, "-c", CHILD), {}))
        await supervisor.stopping.wait()
CHILD = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
asyncio.run(main())
"""


def python(name: str, code: str) -> Child:
    return Child(name, (sys.executable, "-c", code), dict(os.environ))


@pytest.fixture
def lines() -> list[str]:
    return []


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_crashing_child_is_started_again_ever_later(lines: list[str]) -> None:
    async with Supervisor(lines.append, backoff=QUICK) as supervisor:
        supervisor.keep(python("shaky", "print('hello'); raise SystemExit(3)"))
        await until(lambda: len([line for line in lines if "status 3" in line]) >= 4)
    waits = [line.rpartition("again in ")[2] for line in lines if "status 3" in line]
    assert waits[:4] == ["0.01 s", "0.02 s", "0.04 s", "0.04 s"]
    assert lines[0] == " shaky | hello"


async def test_a_child_that_refuses_its_settings_stops_all_and_is_not_started_again(
    lines: list[str],
) -> None:
    async with Supervisor(lines.append, backoff=QUICK) as supervisor:
        supervisor.keep(python("wrong", "print('error: so not'); raise SystemExit(2)"))
        await until(supervisor.stopping.is_set)
    assert supervisor.refused
    assert lines == [
        " wrong | error: so not",
        "wrong cannot start with these settings; its output is above",
    ]


async def test_a_child_that_has_run_is_started_again_whatever_it_ends_with(
    lines: list[str],
) -> None:
    async with Supervisor(
        lines.append, backoff=Backoff(first=0.01, longest=0.04, stable=0.0)
    ) as supervisor:
        supervisor.keep(python("shaky", "raise SystemExit(2)"))
        await until(lambda: len(lines) >= 2)
    assert not supervisor.refused


def test_back_off_ends_at_half_a_minute() -> None:
    assert [Backoff().delay(crashes) for crashes in (1, 2, 3, 7, 1000)] == [
        0.5,
        1.0,
        2.0,
        30.0,
        30.0,
    ]


async def test_output_of_any_shape_is_prefixed(lines: list[str]) -> None:
    code = (
        "import sys; print('a\\nb'); print('ü', file=sys.stderr); print('x' * 100_000);"
        " print('end', end='')"
    )
    async with Supervisor(lines.append) as supervisor:
        assert (
            await supervisor.run(
                python("odd", f"import sys; sys.stdout.reconfigure(encoding='utf8'); {code}")
            )
            == 0
        )
    assert all(line.startswith("   odd | ") for line in lines)
    assert {"   odd | a", "   odd | b", "   odd | ü", "   odd | end"} <= set(lines)
    assert sum(line.count("x") for line in lines) == 100_000


async def test_one_interrupt_stops_all(lines: list[str]) -> None:
    others = set(psutil.Process().children())
    async with Supervisor(lines.append) as supervisor:
        for name in ("one", "two"):
            supervisor.keep(python(name, "import time; print('up', flush=True); time.sleep(600)"))
        await until(lambda: len(lines) == 2)
        children = set(psutil.Process().children()) - others
        os.kill(os.getpid(), signal.SIGINT)
        await supervisor.stopping.wait()
    assert len(children) == 2
    assert not any(map(alive, children))


async def test_a_second_interrupt_kills(lines: list[str]) -> None:
    async with Supervisor(lines.append, grace=600) as supervisor:
        supervisor.keep(python("deaf", STUBBORN))
        await until(lambda: lines)
        os.kill(os.getpid(), signal.SIGINT)
        await supervisor.stopping.wait()
        asyncio.get_running_loop().call_later(0.1, os.kill, os.getpid(), signal.SIGINT)


async def test_terminating_twice_stays_patient(lines: list[str]) -> None:
    code = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(.3), print('tidy'), sys.exit()))\n"
        "print('up', flush=True)\n"
        "signal.pause()"
    )
    async with Supervisor(lines.append) as supervisor:
        supervisor.keep(python("slow", code))
        await until(lambda: lines)
        os.kill(os.getpid(), signal.SIGTERM)
        await supervisor.stopping.wait()
        asyncio.get_running_loop().call_later(0.1, os.kill, os.getpid(), signal.SIGTERM)
    assert lines == ["  slow | up", "  slow | tidy"]


async def test_a_deaf_child_is_killed_after_the_grace(lines: list[str]) -> None:
    async with Supervisor(lines.append, grace=0.2) as supervisor:
        running = asyncio.create_task(supervisor.run(python("deaf", STUBBORN)))
        await until(lambda: lines)
    assert await running == -signal.SIGKILL


async def test_grandchildren_do_not_stay(lines: list[str]) -> None:
    code = (
        "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', 'import time;"
        " time.sleep(600)']).pid)"
    )
    async with Supervisor(lines.append) as supervisor:
        await supervisor.run(python("parent", code))
    pid = int(lines[0].rpartition(" ")[2])
    assert wait_for(lambda: not psutil.pid_exists(pid) or not alive(psutil.Process(pid)), 5)


def test_no_orphan_when_the_supervisor_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True
    ) as supervisor:
        assert supervisor.stdout
        children = [
            psutil.Process(int(supervisor.stdout.readline().rpartition(" ")[2])) for _ in range(2)
        ]
        assert all(map(alive, children))
        supervisor.kill()
        assert wait_for(lambda: not any(map(alive, children)), 5)
