"""`notistream generate`: rewrite the files derived from the code, or name those that are stale."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

import click

from notistream.commands.architecture import architecture_page
from notistream.commands.reference import env_example, schema_page, settings_page
from notistream.commands.reference_http import http_page
from notistream.commands.reference_pages import cli_page, errors_page, events_page, metrics_page
from notistream.db import migrate
from notistream.db.schema import Schema, migrated_schema
from notistream.settings.model import Settings
from notistream.settings.reading import load_settings

ROOT = Path(__file__).parents[2]


@click.command()
@click.option(
    "--check", is_flag=True, help="Change nothing; name the files that are stale and exit with 1."
)
def generate(*, check: bool) -> None:
    """Rewrite .env.example and the reference pages under docs/ (in a checkout)."""
    if not (ROOT / "pyproject.toml").is_file():
        raise click.ClickException(
            f"{ROOT} is not a checkout of NotiStream; there is nothing to generate here"
        )
    stale = {
        path: text for path, text in _derived(load_settings()).items() if _current(path) != text
    }
    for path, text in stale.items():
        if not check:
            (ROOT / path).write_text(text, encoding="utf-8")
        click.echo(f"{path}: {'stale' if check else 'rewritten'}")
    if check and stale:
        raise click.ClickException("run `make generate` and commit the result")


def _derived(settings: Settings) -> Mapping[str, str]:
    migrations = [migration.up for migration in migrate.known()]
    return {
        ".env.example": env_example(),
        "docs/settings.md": settings_page(),
        "docs/db-schema.md": schema_page(_schema(settings), migrations),
        **_of_the_api(),
        "docs/metrics.md": metrics_page(),
        "docs/events.md": events_page(),
        "docs/errors.md": errors_page(),
        "docs/architecture.md": architecture_page(ROOT),
        "docs/cli.md": cli_page(click.get_current_context().find_root().command),
    }


def _current(path: str) -> str | None:
    file = ROOT / path
    return file.read_text("utf-8") if file.is_file() else None


def _schema(settings: Settings) -> Schema:
    # An extra that servers do not install.
    from notistream.local.services import attach_or_start  # noqa: PLC0415

    services = attach_or_start(
        settings.state_dir,
        lambda line: click.echo(line, err=True),
        database_url=settings.database_url,
        kafka_brokers="not needed",
    )
    with services as endpoints:
        return asyncio.run(migrated_schema(endpoints.database_url))


def _of_the_api() -> Mapping[str, str]:
    # Loads the whole web layer, and so every error.
    from notistream.web.openapi import text as openapi  # noqa: PLC0415

    return {
        "docs/api.yaml": openapi.text(yaml=True),
        "docs/http.md": http_page(json.loads(openapi.text())),
    }
