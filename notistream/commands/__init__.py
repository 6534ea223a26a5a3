"""The command line `notistream`; one module per group of commands."""

import importlib
import sys

import click

from notistream import __version__
from notistream.errors import Misconfigured, NotiStreamError

MODULES = {
    "api": "run",
    "audit": "audit",
    "dev": "dev",
    "dlq": "dlq",
    "doctor": "doctor",
    "generate": "generate",
    "keys": "keys",
    "migrate": "migrate",
    "pause": "pauses",
    "providers": "providers",
    "replay": "replay",
    "resume": "pauses",
    "retention": "retention",
    "seed": "seed",
    "send": "send",
    "tenants": "keys",
    "top": "top",
    "topics": "topics",
    "trace": "trace",
    "worker": "run",
}
"""Each command, and where it is.

Loaded when it is asked for: all together take longer than most of them run.
"""


class _Cli(click.Group):
    """Errors in words: exit status 1 for what failed, 2 for what was asked wrongly."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in MODULES:
            return None
        command = getattr(
            importlib.import_module(f"notistream.commands.{MODULES[cmd_name]}"), cmd_name
        )
        assert isinstance(command, click.Command)
        return command

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
