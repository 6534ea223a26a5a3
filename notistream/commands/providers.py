"""`notistream providers`: show installed providers and their channels; `new` writes a skeleton."""

from dataclasses import asdict, dataclass
from pathlib import Path

import click
import orjson

from notistream.commands import new_provider
from notistream.errors import Misconfigured
from notistream.providers.registry import chosen, fault_of, provider_class, read_provider_settings
from notistream.settings.model import Settings
from notistream.settings.plugins import Plugin, installed
from notistream.settings.reading import load_settings


@dataclass(frozen=True, slots=True)
class Installed:
    """One installed provider; `why_not` says why it cannot be used."""

    name: str
    channels: list[str]
    configured: bool
    package: str
    why_not: str | None = None


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@click.pass_context
def providers(context: click.Context, *, as_json: bool) -> None:
    """Show the providers of each channel, in order of choice, and all that are installed."""
    if context.invoked_subcommand:
        return
    settings = load_settings()
    names = chosen(settings)
    found = [_installed(plugin, settings) for plugin in installed().values()]
    if as_json:
        click.echo(orjson.dumps({**names, "installed": [asdict(one) for one in found]}).decode())
        return
    for channel, wanted in names.items():
        click.echo(f"{channel:8} {', '.join(wanted)}")
    click.echo("\ninstalled:")
    for one in found:
        state = "configured" if one.configured else "not configured"
        click.echo(f"{one.name:12} {state:15} {', '.join(one.channels):26} {one.package}")
        if one.why_not:
            click.echo(f"{'':12} {one.why_not}")


def _installed(plugin: Plugin, settings: Settings) -> Installed:
    if fault := fault_of(plugin):
        return Installed(plugin.name, [], configured=False, package=plugin.package, why_not=fault)
    channels = sorted(provider_class(plugin.name).channels)
    try:
        read_provider_settings(plugin.name, settings)
    except Misconfigured as exc:
        return Installed(
            plugin.name, channels, configured=False, package=plugin.package, why_not=exc.detail
        )
    return Installed(plugin.name, channels, configured=True, package=plugin.package)


@providers.command()
@click.argument("name")
def new(name: str) -> None:
    """Write a package with a provider NAME and its contract test into the current folder."""
    try:
        folder = new_provider.write(name, Path.cwd())
    except ValueError as exc:
        raise click.UsageError(str(exc)) from None
    except FileExistsError as exc:
        raise click.ClickException(str(exc)) from None
    click.echo(f"{folder.name}/ is written. Next:")
    click.echo(f"  pip install -e {folder.name}    # then `notistream providers` lists it")
    click.echo(
        f"  pytest {folder.name}            # the contract, on a local server of the vendor's"
        " protocol"
    )
