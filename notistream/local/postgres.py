"""The embedded PostgreSQL: one server on a unix socket only, under a folder of its own."""

import hashlib
import re
import shlex
import signal
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from notistream.local import processes
from notistream.local.errors import LocalServicesError, tail
from notistream.local.pg_programs import Programs
from notistream.local.processes import Record, Registry

if TYPE_CHECKING:
    from psutil import Process

_DATABASE = "notistream"
_SETTINGS = {"max_connections": "200", "shared_buffers": "256MB", "timezone": "UTC", "jit": "off"}
# A crash of the machine may then lose data, a crash of the server does not: commits stay
# synchronous.
_NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}
# Recovery after a crash replays the log first and may take much longer than a plain start.
_START_S = 120
_ADOPT_S = 10.0
_QUERY_S = 10.0
# A unix socket's path has room for 103 bytes on some systems, and its file name takes 15 of them.
# PostgreSQL would split the folder's name at a comma.
_SOCKET_FOLDER = re.compile(r"[A-Za-z0-9._/-]{1,88}")


class Postgres:
    """One server; its methods block, so an event loop calls them through asyncio.to_thread."""

    def __init__(
        self,
        directory: Path,
        registry: Registry,
        report: Callable[[str], None],
        *,
        durable: bool = True,
    ) -> None:
        self._dir = directory
        self._registry = registry
        self._report = report
        self._settings = _SETTINGS if durable else {**_SETTINGS, **_NOT_DURABLE}

    @property
    def database_url(self) -> str:
        """URL of the database `notistream`, as asyncpg takes it."""
        return f"postgresql://postgres@/{_DATABASE}?host={quote(str(self._socket_dir))}"

    def process(self) -> "Process | None":
        """Return the live server of this folder, whoever started it."""
        record = self._registry.get("postgres")
        return processes.find(record.pid if record else None, str(self._dir))

    def healthy(self) -> bool:
        """Tell whether the server answers a query."""
        return self._query("SELECT 1") == "1"

    def start(self) -> None:
        """Adopt the server when one runs and answers; otherwise end it, if any, and start one."""
        if survivor := self.process():
            processes.wait_for(
                lambda: self.healthy() or not processes.alive(survivor), _ADOPT_S, step=0.1
            )
            if processes.alive(survivor) and self.healthy():
                self._create_database()
                self._report("PostgreSQL already runs")
                return
            self._report("the PostgreSQL of an earlier run does not answer: replacing it")
            processes.end(survivor, signal.SIGKILL)
        self._programs.create_cluster()
        self._launch()
        self._create_database()
        self._report("PostgreSQL is up")

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop: `fast` ends the sessions and writes everything down, `immediate` is a crash."""
        if self.process() is not None:
            self._programs.run("pg_ctl", "-D", str(self._dir), "-m", mode, "-w", "-t", "20", "stop")
        if process := self.process():
            processes.end(process, signal.SIGKILL)
        if self._socket_dir != self._dir:
            # It may be missing, or not empty after a crash: then the next start uses it again.
            with suppress(OSError):
                self._socket_dir.rmdir()

    @cached_property
    def _programs(self) -> Programs:
        self._dir.parent.mkdir(parents=True, exist_ok=True)
        return Programs(self._dir)

    @cached_property
    def _socket_dir(self) -> Path:
        if _SOCKET_FOLDER.fullmatch(str(self._dir)):
            return self._dir
        name = "notistream-" + hashlib.sha256(str(self._dir).encode()).hexdigest()[:16]
        folder = Path(tempfile.gettempdir()) / name
        return folder if _SOCKET_FOLDER.fullmatch(str(folder)) else Path("/tmp") / name  # noqa: S108 - made 0700

    def _launch(self) -> None:
        # Backends notice that their server was killed, but may take a moment; two servers on one
        # folder corrupt it.
        for backend in processes.inside(self._dir, "postgres"):
            processes.end(backend, signal.SIGQUIT, grace=5.0)
        # The lock files can then only name a number that means another process now, or one that
        # waits to be reaped.
        for lock in (self._dir / "postmaster.pid", self._socket_dir / ".s.PGSQL.5432.lock"):
            lock.unlink(missing_ok=True)
        self._programs.own(self._socket_dir)
        options = ["-h", "", "-k", str(self._socket_dir)]
        for name, value in self._settings.items():
            options += ["-c", f"{name}={value}"]
        log = self._dir / "server.log"
        status, output = self._programs.run(
            "pg_ctl",
            "-D",
            str(self._dir),
            "-l",
            str(log),
            "-o",
            shlex.join(options),
            "-w",
            "-t",
            str(_START_S),
            "start",
        )
        if status != 0:
            raise LocalServicesError(
                f"PostgreSQL did not start: {output}\nThe end of {log}:\n{tail(log)}"
            )
        pid = (self._dir / "postmaster.pid").read_text().split(maxsplit=1)[0]
        self._registry.put("postgres", Record(int(pid)))

    def _create_database(self) -> None:
        if self._query(f"SELECT 1 FROM pg_database WHERE datname = '{_DATABASE}'") == "":  # noqa: S608 - constant
            self._query(f"CREATE DATABASE {_DATABASE}")

    def _query(self, sql: str) -> str | None:
        """Return what psql prints for the statement; None when it fails or times out."""
        status, output = self._programs.run(
            "psql",
            "-XAtq",
            "-h",
            str(self._socket_dir),
            "-U",
            "postgres",
            "-d",
            "postgres",
            "-c",
            sql,
            timeout=_QUERY_S,
        )
        return output if status == 0 else None
