"""`notistream dev` as a user meets it: ready, one Ctrl-C, nothing left."""

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from notistream.local import ports
from notistream.local.processes import alive, wait_for
from notistream.local.services import LocalServices, stop_unused
from tests import processes
from tests.services import dedicated_folder

pytestmark = [pytest.mark.integration, pytest.mark.full]


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    folder = dedicated_folder()
    folder.mkdir()
    clean = processes.environment()
    yield {
        **clean,
        "NOTISTREAM_STATE_DIR": str(folder),
        "NOTISTREAM_PORT": str(ports.choose("127.0.0.1", 1)[0]),
    }
    stop_unused(folder)
    shutil.rmtree(folder, ignore_errors=True)


def dev(environment: dict[str, str], cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "notistream", "dev"],
        env=environment,
        cwd=cwd,
        text=True,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def read_until(run: subprocess.Popen[str], start: str) -> str:
    assert run.stdout
    seen = []
    for line in run.stdout:
        seen.append(line)
        if line.startswith(start):
            return line
    raise AssertionError("".join(seen[-30:]))


def test_ready_then_one_interrupt_leaves_nothing(
    environment: dict[str, str], tmp_path: Path
) -> None:
    folder = Path(environment["NOTISTREAM_STATE_DIR"])
    with dev(environment, tmp_path) as run:
        line = read_until(run, "NotiStream ready")
        base = rf"http://127\.0\.0\.1:{environment['NOTISTREAM_PORT']}"
        assert re.match(rf"NotiStream ready {base} - console {base}/console .*/docs .*curl ", line)
        children = psutil.Process(run.pid).children(recursive=True)
        assert {child.cmdline()[-1] for child in children} == {"api", "worker"}
        os.killpg(run.pid, signal.SIGINT)
        run.communicate(timeout=30)
        assert run.returncode == 0
    assert not any(map(alive, children))
    services = LocalServices(folder, print)
    assert services.kafka.process() is None
    assert services.postgres.process() is None
    assert stat.S_IMODE((folder / "admin-token").stat().st_mode) == 0o600
    assert stat.S_IMODE((folder / "unsubscribe-secret").stat().st_mode) == 0o600


def test_a_killed_run_leaves_only_the_services_to_the_next(
    environment: dict[str, str], tmp_path: Path
) -> None:
    with dev(environment, tmp_path) as first:
        read_until(first, "NotiStream ready")
        children = psutil.Process(first.pid).children(recursive=True)
        first.kill()
    assert wait_for(lambda: not any(map(alive, children)), 5)
    with dev(environment, tmp_path) as second:
        read_until(second, "PostgreSQL already runs")
        read_until(second, "NotiStream ready")
        second.terminate()
        second.communicate(timeout=30)
        assert second.returncode == 0


def test_a_second_run_with_the_same_state_is_told_what_runs(
    environment: dict[str, str], tmp_path: Path
) -> None:
    with dev(environment, tmp_path) as first:
        read_until(first, "NotiStream ready")
        with dev(environment, tmp_path) as second:
            output, _ = second.communicate(timeout=30)
        assert second.returncode == 2
        assert f"already runs with the state in {environment['NOTISTREAM_STATE_DIR']}" in output
        assert "NOTISTREAM_WORKER_SLOT=1" in output
        first.terminate()
        first.communicate(timeout=30)
        assert first.returncode == 0


def test_a_role_whose_port_is_taken_says_so_in_words(
    environment: dict[str, str], tmp_path: Path
) -> None:
    given = {
        **environment,
        "NOTISTREAM_DATABASE_URL": "postgresql://127.0.0.1:1/n",
        "NOTISTREAM_KAFKA_BROKERS": "a:1",
    }
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for role, setting in (("api", "NOTISTREAM_PORT"), ("worker", "NOTISTREAM_WORKER_PORT")):
            run = subprocess.run(
                [sys.executable, "-m", "notistream", role],
                env={**given, setting: port},
                cwd=tmp_path,
                text=True,
                capture_output=True,
                check=False,
            )
            assert run.returncode == 2
            assert re.search(rf"{setting}=\d+", run.stderr)
            assert ("NOTISTREAM_WORKER_SLOT=1" in run.stderr) == (role == "worker")
            assert "Traceback" not in run.stdout + run.stderr


def test_a_taken_port_is_named_before_anything_starts(
    environment: dict[str, str], tmp_path: Path
) -> None:
    with (
        socket.create_server(("127.0.0.1", int(environment["NOTISTREAM_PORT"]))),
        dev(environment, tmp_path) as run,
    ):
        output, _ = run.communicate(timeout=30)
    assert run.returncode == 2
    assert "NOTISTREAM_PORT=" in output
    assert not list(Path(environment["NOTISTREAM_STATE_DIR"]).iterdir())
