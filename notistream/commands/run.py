"""`notistream api` and `notistream worker`: the two roles of the app."""

import os

import click
import uvloop

from notistream.commands.services import settings_with_services
from notistream.errors import Misconfigured
from notistream.local import ports
from notistream.providers.registry import read_all
from notistream.settings.model import PREFIX, Settings


@click.command()
def api() -> None:
    """Serve the HTTP API on HOST:PORT; runs no agents, and answers while Kafka is away."""
    with settings_with_services() as settings:
        _run(settings, serve_only=True)


@click.command()
def worker() -> None:
    """Deliver: run the agents, the scheduler and the sweeper of one worker slot."""
    with settings_with_services() as settings:
        _run(settings, serve_only=False)


def _run(settings: Settings, *, serve_only: bool) -> None:
    # Before Faust starts, which would show what is wrong as a traceback.
    read_all(settings)
    port, name = (settings.port, "PORT") if serve_only else (settings.metrics_port, "WORKER_PORT")
    if why := ports.refusal(settings.host, port, setting=PREFIX + name):
        slot = f"{PREFIX}WORKER_SLOT={settings.worker_slot + 1}"
        raise Misconfigured(why if serve_only else f"{why}; for one more worker, {slot}")
    _export(settings)
    uvloop.install()
    # Building the app reads the settings that were exported just now.
    from notistream.main import app  # noqa: PLC0415

    if serve_only:
        app.serve_only()
    try:
        app.Worker(
            loglevel=settings.log_level, redirect_stdouts=False, quiet=True
        ).execute_from_commandline()
    except SystemExit:
        if app.refusal is not None:
            raise app.refusal from None
        raise


def _export(settings: Settings) -> None:
    os.environ[f"{PREFIX}DATABASE_URL"] = settings.database_url or ""
    os.environ[f"{PREFIX}KAFKA_BROKERS"] = settings.kafka_brokers or ""
