"""The command line `notistream`; one module per group of commands."""

import sys

import click

from notistream import __version__
from notistream.commands import (
    audit,
    dev,
    dlq,
    doctor,
    generate,
    keys,
    migrate,
    pauses,
    providers,
    replay,
    retention,
    run,
    seed,
    send,
    top,
    topics,
    trace,
)
from notistream.errors import Misconfigured, NotiStreamError


class _Cli(click.Group):
    """Errors in words: exit status 1 for what failed, 2 for what was asked wrongly."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except Misconfigured as exc:
            click.echo(f"error: {exc.detail}", err=True)
            sys.exit(2)
        except NotiStreamError as exc:
            click.echo(f"error: {exc.detail}", err=True)
            sys.exit(1)


@click.group(cls=_Cli, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="notistream")
def cli() -> None:
    """NotiStream: send notifications over SMS, e-mail, push and in-app, and never lose one."""


for command in (
    dev.dev, run.api, run.worker, migrate.migrate, topics.topics, seed.seed, keys.tenants, keys.keys,
    providers.providers, send.send, audit.audit, replay.replay, generate.generate,
    doctor.doctor, trace.trace, pauses.pause, pauses.resume, dlq.dlq, top.top, retention.retention,
):
    cli.add_command(command)
