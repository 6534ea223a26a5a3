"""Shares in the embedded services of a state folder: the first starts them, the last stops them."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

from notistream.local.errors import LocalServicesError
from notistream.local.kafka import Broker
from notistream.local.postgres import Postgres
from notistream.local.processes import Registry


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the services are: what Settings.database_url and Settings.kafka_brokers take."""

    database_url: str
    kafka_brokers: str


class LocalServices:
    """A share in the services.

    The locks behind it vanish with the process, so a crash leaves only the servers.
    """

    def __init__(
        self,
        state_dir: Path,
        report: Callable[[str], None],
        *,
        durable: bool = True,
        database_url: str | None = None,
        kafka_brokers: str | None = None,
    ) -> None:
        self.state_dir = state_dir.absolute()
        registry = Registry(self.state_dir / "services.json")
        self.kafka = Broker(self.state_dir / "kafka", registry, report)
        self.postgres = Postgres(self.state_dir / "postgres", registry, report, durable=durable)
        self._users: IO[str] | None = None
        self._given = database_url, kafka_brokers

    @property
    def endpoints(self) -> Endpoints:
        """Addresses of both services, given or embedded."""
        database_url, kafka_brokers = self._given
        return Endpoints(
            database_url or self.postgres.database_url, kafka_brokers or self.kafka.brokers
        )

    def attach(self, *, start: bool = True) -> None:
        """Take a share, starting what does not run and is not given."""
        with self._alone():
            self._users = (self.state_dir / "services.lock").open("a")
            fcntl.flock(self._users, fcntl.LOCK_SH)
            try:
                if start:
                    self._start()
            except BaseException:  # Ctrl-C too: nothing that was just started may stay behind
                self._leave()
                raise

    def release(self, *, delete: bool = False) -> bool:
        """Give the share back.

        If it was the last one, stop the services (and delete the folder) and return True.
        """
        if self._users is None:
            return False
        with self._alone():
            last = self._leave()
            if last and delete:
                shutil.rmtree(self.state_dir)
        return last

    def __enter__(self) -> Endpoints:
        return self.endpoints

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def _leave(self) -> bool:
        assert self._users is not None
        users, self._users = self._users, None
        with users:
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            self._stop()
        return True

    def _start(self) -> None:
        database_url, kafka_brokers = self._given
        with ThreadPoolExecutor(1) as thread:
            postgres = None if database_url else thread.submit(self.postgres.start)
            if kafka_brokers is None:
                # In this thread, which gets Ctrl-C, because the download takes longest.
                self.kafka.start()
            if postgres:
                postgres.result()

    def _stop(self) -> None:
        with ThreadPoolExecutor(1) as thread:
            postgres = thread.submit(self.postgres.stop)
            self.kafka.stop()
            postgres.result()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep all others from starting or stopping these services."""
        path = self.state_dir / "services.start.lock"
        while True:
            try:
                self.state_dir.mkdir(parents=True, exist_ok=True)
                lock = path.open("a")
            except OSError as exc:
                raise LocalServicesError(
                    f"The state folder {self.state_dir} cannot be written ({exc.strerror}). Set"
                    " NOTISTREAM_STATE_DIR to a folder of yours."
                ) from exc
            with lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if path.exists() and path.stat().st_ino == os.fstat(lock.fileno()).st_ino:
                    yield
                    return
                # Whoever held it before has deleted the folder: this lock means nothing any more.


def attach_or_start(
    state_dir: Path,
    report: Callable[[str], None] = lambda _line: None,
    *,
    durable: bool = True,
    database_url: str | None = None,
    kafka_brokers: str | None = None,
) -> LocalServices:
    """Take a share, starting what does not run yet.

    A service whose address is given is used instead.

    `with attach_or_start(…) as endpoints:` gives the share back at the end. `durable=False` saves
    PostgreSQL's disk flushes: a crash of the machine, and only that, loses data.
    """
    services = LocalServices(
        state_dir, report, durable=durable, database_url=database_url, kafka_brokers=kafka_brokers
    )
    if database_url is None or kafka_brokers is None:
        services.attach()
    return services


def stop_unused(state_dir: Path, *, delete: bool = False) -> bool:
    """Stop what a crashed run has left in this folder; False when somebody still uses it."""
    if not (state_dir / "services.lock").exists():
        return True
    services = LocalServices(state_dir, lambda _line: None)
    services.attach(start=False)
    return services.release(delete=delete)
