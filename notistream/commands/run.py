"""`notistream api` and `notistream worker`: the two roles of the app."""

from typing import Literal

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
        port_refusal = ports.refusal(settings.host, settings.port, setting=f"{PREFIX}PORT")
        _run(settings, "api", port_refusal)


@click.command()
def worker() -> None:
    """Deliver: run the agents, the scheduler and the sweeper of one worker slot."""
    with settings_with_services() as settings:
        name = f"{PREFIX}WORKER_PORT"
        port_refusal = ports.refusal(settings.host, settings.metrics_port, setting=name)
        if port_refusal:
            slot = f"{PREFIX}WORKER_SLOT={settings.worker_slot + 1}"
            port_refusal = f"{port_refusal}; for one more worker, {slot}"
        _run(settings, "worker", port_refusal)


def _run(settings: Settings, role: Literal["api", "worker"], port_refusal: str | None) -> None:
    # Before Faust starts, which would show what is wrong as a traceback.
    read_all(settings)
    if port_refusal:
        raise Misconfigured(port_refusal)
    uvloop.install()
    # Loads every room of the product.
    from notistream.main import create_app  # noqa: PLC0415

    app = create_app(settings, role)
    try:
        app.Worker(
            loglevel=settings.log_level, redirect_stdouts=False, quiet=True
        ).execute_from_commandline()
    except SystemExit:
        if app.refusal is not None:
            raise app.refusal from None
        raise
