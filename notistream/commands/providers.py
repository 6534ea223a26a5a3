"""`notistream providers`: which provider serves which channel."""

import click
import orjson

from notistream.config import load_settings
from notistream.providers.registry import Providers


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def providers(*, as_json: bool) -> None:
    """Show the providers of each channel, in the order in which they are chosen."""
    names = Providers(load_settings()).names()
    if as_json:
        click.echo(orjson.dumps(names).decode())
        return
    for channel, chosen in names.items():
        click.echo(f"{channel:8} {', '.join(chosen)}")
