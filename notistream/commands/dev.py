"""`notistream dev`: run everything on this machine, as `make run` does."""

import asyncio
import fcntl
import http.client
import os
import secrets
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import click
from pydantic import SecretStr

from notistream.errors import Misconfigured
from notistream.local import ports
from notistream.local.services import Endpoints, attach_or_start
from notistream.local.supervisor import Child, Supervisor
from notistream.settings.model import LOOPBACK, PREFIX, Settings
from notistream.settings.reading import load_settings

_STEPS = ((("migrate", "up"), ("seed", "--demo")), (("topics",),))
"""Preparation. The rows run at the same time, because each needs one service only."""
_LOCK = "dev.lock"
_FIRST_MESSAGE = '{"channel":"sms","recipient":"+905551234567","content":"Hello from NotiStream"}'


@click.command()
def dev() -> None:
    """Run Kafka, PostgreSQL, one API and one worker process; Ctrl-C stops them all."""
    settings = load_settings()
    _refuse_a_second(settings.state_dir)
    if why := ports.refusal(settings.host, settings.port, setting=f"{PREFIX}PORT"):
        raise Misconfigured(why)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # until the supervisor listens: as Ctrl-C
    services = lock = None
    try:
        services = attach_or_start(
            settings.state_dir,
            _say,
            database_url=settings.database_url,
            kafka_brokers=settings.kafka_brokers,
        )
        lock = _keep_others_out(settings.state_dir)
        status = asyncio.run(_serve(settings, _environment(settings, services.endpoints)))
    except KeyboardInterrupt:
        status = 130
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # the rest is short and must be completed
        if services and services.release():
            _say("Kafka and PostgreSQL are stopped")
        if lock:
            lock.close()
    sys.exit(status)


def _refuse_a_second(state_dir: Path) -> None:
    with suppress(OSError), (state_dir / _LOCK).open() as lock:
        _locked(lock, fcntl.LOCK_SH, state_dir)


def _keep_others_out(state_dir: Path) -> IO[str]:
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        lock = (state_dir / _LOCK).open("a")
    except OSError as exc:
        raise Misconfigured(
            f"the state folder {state_dir} cannot be written ({exc.strerror}): set"
            f" {PREFIX}STATE_DIR to one of yours"
        ) from None
    return _locked(lock, fcntl.LOCK_EX, state_dir)


def _locked(lock: IO[str], kind: int, state_dir: Path) -> IO[str]:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Misconfigured(
            f"NotiStream already runs with the state in {state_dir}: use that one, or stop it. To"
            f" add a worker: {PREFIX}WORKER_SLOT=1 make run-worker. To run a second NotiStream, set"
            f" another {PREFIX}STATE_DIR and {PREFIX}PORT"
        ) from None
    return lock


def _say(line: str) -> None:
    # The terminal or the pipe may have gone before us; the children must be stopped all the same.
    with suppress(OSError):
        click.echo(line)
        sys.stdout.flush()


def _environment(settings: Settings, endpoints: Endpoints) -> dict[str, str]:
    """Return the environment of the children, with every choice made here spelled out."""
    admin_token = settings.state_dir / "admin-token"
    if settings.admin_token is None:
        _say(f"the admin token (header X-Admin-Token of /internal) is in {admin_token}")
    own = {
        "DATABASE_URL": endpoints.database_url,
        "KAFKA_BROKERS": endpoints.kafka_brokers,
        "AUTH": _auth(settings),
        "ADMIN_TOKEN": _secret(settings.admin_token, admin_token),
        "JWT_SECRET": _secret(settings.jwt_secret, settings.state_dir / "jwt-secret"),
        "UNSUBSCRIBE_SECRET": _secret(
            settings.unsubscribe_secret, settings.state_dir / "unsubscribe-secret"
        ),
        "WORKER_PORT": str(
            settings.worker_port or ports.next_free(settings.host, settings.port + 1)
        ),
    }
    if "webhook_allow_networks" not in settings.model_fields_set:
        # A developer's receiver runs on this machine too.
        own["WEBHOOK_ALLOW_NETWORKS"] = "127.0.0.0/8,::1/128"
    if settings.log_format == "auto" and sys.stdout.isatty():
        own["LOG_FORMAT"] = "text"  # the children write into a pipe of ours
    return {
        **os.environ,
        "PYTHONUNBUFFERED": "1",
        **{PREFIX + name: value for name, value in own.items()},
    }


def _auth(settings: Settings) -> str:
    """Return `off`, so that the first curl needs no key.

    A setting wins; where others can reach the port, the answer is `on`.
    """
    if "auth" in settings.model_fields_set:
        return settings.auth
    return "off" if settings.host in LOOPBACK or settings.allow_insecure else "on"


def _secret(chosen: SecretStr | None, path: Path) -> str:
    """Return the secret that was set, or that of this state folder, made at the first run."""
    if chosen is not None:
        return chosen.get_secret_value()
    if not path.exists():
        _write_secret(path, secrets.token_urlsafe(32))
    return path.read_text().strip()


def _write_secret(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text + "\n")
    new.replace(path)


async def _serve(settings: Settings, environment: dict[str, str]) -> int:
    """Prepare the database and the topics, then run both roles until a signal comes.

    Return the exit status.
    """
    async with Supervisor(_say, colour=sys.stdout.isatty()) as supervisor:
        prepared = await asyncio.gather(
            *(_prepared(supervisor, steps, environment) for steps in _STEPS)
        )
        if supervisor.stopping.is_set():
            return 0
        if not all(prepared):
            return 1
        started = asyncio.create_task(_announce(settings, environment))
        for role in ("api", "worker"):
            supervisor.keep(_child(role, role, environment=environment))
        await supervisor.stopping.wait()
        started.cancel()
        _say("stopping…")
    return 1 if supervisor.refused else 0


async def _prepared(
    supervisor: Supervisor, steps: Sequence[Sequence[str]], environment: dict[str, str]
) -> bool:
    for step in steps:
        status = await supervisor.run(_child("setup", *step, environment=environment))
        if supervisor.stopping.is_set():
            return False
        if status != 0:
            _say(f"`notistream {' '.join(step)}` failed with status {status}; its output is above")
            return False
    return True


def _child(name: str, *command: str, environment: dict[str, str]) -> Child:
    return Child(name, (sys.executable, "-m", "notistream", *command), environment)


async def _announce(settings: Settings, environment: dict[str, str]) -> None:
    """Print one line once both roles are ready."""
    await _ready("the API", settings.host, settings.port)
    await _ready("the worker", settings.host, int(environment[f"{PREFIX}WORKER_PORT"]))
    url = f"http://{_reachable(settings.host)}:{settings.port}"
    key = "" if environment[f"{PREFIX}AUTH"] == "off" else " -H 'X-API-Key: <make seed prints one>'"
    _say(
        f"NotiStream ready {url} - console {url}/console - docs {url}/docs - send a first message:"
        f" curl -X POST {url}/api/v1/notifications -H 'Content-Type: application/json'{key} -d"
        f" '{_FIRST_MESSAGE}'"
    )


async def _ready(who: str, host: str, port: int) -> None:
    patience = time.monotonic() + 15
    while (answer := await asyncio.to_thread(_probe, _reachable(host), port)) is not None:
        if time.monotonic() > patience:
            _say(f"still waiting for {who} on port {port}: {answer}")
            patience += 15
        await asyncio.sleep(0.1)


def _probe(host: str, port: int) -> str | None:
    """Return None when the process is ready, else its answer."""
    connection = http.client.HTTPConnection(host.strip("[]"), port, timeout=5)
    try:
        connection.request("GET", "/health/ready")
        response = connection.getresponse()
        return (
            None
            if response.status == 200
            else f"{response.status} {response.read(500).decode(errors='replace')}"
        )
    except (OSError, http.client.HTTPException):
        return "no answer yet"
    finally:
        connection.close()


def _reachable(host: str) -> str:
    """Return an address for a client on this machine, as it stands in a URL."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"[{host}]" if ":" in host else host
