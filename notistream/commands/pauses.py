"""`notistream pause` and `notistream resume`: hold back a channel or one of its providers."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import click
import orjson

from notistream.commands.services import settings_with_services, with_database
from notistream.db.audit_log import CLI
from notistream.db.pauses import Pause
from notistream.errors import NotFound
from notistream.operating.pauses import Pauses
from notistream.providers.registry import chosen

R = TypeVar("R")


@click.command()
@click.argument("channel")
@click.argument("provider", required=False)
@click.option("--reason", default="", help="The reason, for other operators.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def pause(channel: str, provider: str | None, reason: str, *, as_json: bool) -> None:
    """Hold back all messages of CHANNEL, or those that PROVIDER would send.

    No message is lost and no attempt is used.
    """
    stored = _with_pauses(
        channel, provider, lambda pauses, wanted: pauses.pause(wanted, actor=CLI, reason=reason)
    )
    if as_json:
        click.echo(
            orjson.dumps(
                {
                    "channel": stored.pause.channel,
                    "provider": stored.pause.provider,
                    "reason": stored.reason,
                    "paused_at": stored.paused_at,
                }
            ).decode()
        )
        return
    click.echo(
        f"paused {stored.pause}; to resume: notistream resume {str(stored.pause).replace('/', ' ')}"
    )


@click.command()
@click.argument("channel")
@click.argument("provider", required=False)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def resume(channel: str, provider: str | None, *, as_json: bool) -> None:
    """Resume CHANNEL or its PROVIDER; messages that were held back are due now."""

    async def work(pauses: Pauses, paused: Pause) -> tuple[Pause, int]:
        return paused, await pauses.resume(paused, actor=CLI)

    paused, released = _with_pauses(channel, provider, work)
    if as_json:
        click.echo(
            orjson.dumps(
                {"channel": paused.channel, "provider": paused.provider, "released": released}
            ).decode()
        )
        return
    click.echo(f"resumed {paused}; messages that were held back and are due now: {released}")


def _with_pauses(
    channel: str, provider: str | None, work: Callable[[Pauses, Pause], Awaitable[R]]
) -> R:
    """Run `work` on the pause that the names mean; unknown names are a usage error."""
    with settings_with_services() as settings:
        names = chosen(settings)

        async def run(pauses: Pauses) -> R:
            try:
                wanted = pauses.named(channel, provider)
            except NotFound as exc:
                raise click.UsageError(exc.detail) from None
            return await work(pauses, wanted)

        return with_database(settings, lambda database: run(Pauses(database, providers=names)))
