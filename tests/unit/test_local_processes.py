"""Spawned processes are recognised once they run their program, and not before."""

import signal
import sys

from notistream.local import processes

PROGRAM = ("import time; time.sleep(30)", "-Dmark=here")


def test_a_process_that_is_slow_to_run_its_program_is_waited_for(tmp_path):
    slow = f"sleep 0.3; exec {sys.executable} -c '{PROGRAM[0]}' {PROGRAM[1]}"
    pid = processes.spawn(["/bin/sh", "-c", slow], log=tmp_path / "log", cwd=tmp_path)
    assert processes.find(pid, PROGRAM[1]) is None
    process = processes.begun(pid, PROGRAM[1])
    assert process is not None
    assert process.pid == pid
    processes.end(process, signal.SIGKILL)
    assert not processes.alive(process)


def test_a_process_that_ends_instead_is_not_waited_for(tmp_path):
    pid = processes.spawn(["/bin/sh", "-c", "exit 3"], log=tmp_path / "log", cwd=tmp_path)
    assert processes.begun(pid, PROGRAM[1], timeout=3600) is None
