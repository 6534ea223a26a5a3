"""`notistream tenants …` and `notistream keys …`."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import click
import orjson

from notistream.access.authentication import key_prefix
from notistream.access.tenants import OVERLAP, IssuedKey, Tenancy
from notistream.commands.parameters import LATER, SPAN_OF_TIME, tenant_id
from notistream.commands.services import settings_with_services, with_database
from notistream.db import tenants as stored
from notistream.db.audit_log import CLI
from notistream.db.pool import Database
from notistream.db.tenants import StoredKey, StoredTenant
from notistream.errors import TenantExists

JSON = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
EXPIRES = click.option(
    "--expires", type=LATER, help="When it stops working: a date and time, or a span such as 90d."
)
ALL_KEYS = 10_000


@click.group()
def tenants() -> None:
    """Tenants: isolated customers of this installation."""


@tenants.command("create")
@click.argument("name")
@JSON
def create(name: str, *, as_json: bool) -> None:
    """Create a tenant and print its id. An existing one is left as it is."""

    async def work(database: Database) -> tuple[StoredTenant, bool]:
        try:
            return await Tenancy(database).create(name, actor=CLI), True
        except TenantExists:
            return await stored.create(database, name)

    with settings_with_services() as settings:
        tenant, new = with_database(settings, work)
    shown = {"id": str(tenant.id), "name": tenant.name, "created": new}
    note = "" if new else "  (existed already)"
    click.echo(orjson.dumps(shown).decode() if as_json else f"{tenant.id}  {tenant.name}{note}")


@tenants.command("list")
@JSON
def list_(*, as_json: bool) -> None:
    """List all tenants."""
    with settings_with_services() as settings:
        found = with_database(settings, stored.list_all)
    if as_json:
        click.echo(_json([{"id": t.id, "name": t.name, "created_at": t.created_at} for t in found]))
        return
    for tenant in found:
        click.echo(f"{tenant.id}  {tenant.name}")


@click.group()
def keys() -> None:
    """API keys of tenants."""


@keys.command()
@click.argument("tenant")
@click.option("--name", default="cli", show_default=True, help="What the key is for.")
@click.option(
    "--kind",
    type=click.Choice(["live", "test"]),
    default="live",
    show_default=True,
    help="What a test key sends never reaches a real provider.",
)
@EXPIRES
@JSON
def issue(tenant: str, *, name: str, kind: str, expires: datetime | None, as_json: bool) -> None:
    """Issue a key for a TENANT (name or id); it is printed once."""

    async def work(database: Database) -> IssuedKey:
        found = await tenant_id(database, tenant)
        assert found is not None
        return await Tenancy(database).issue(
            found, name=name, kind=kind, expires_at=expires, actor=CLI
        )

    with settings_with_services() as settings:
        issued = with_database(settings, work)
    click.echo(_json(_issued(issued)) if as_json else issued.secret)


@keys.command("list")
@click.argument("tenant")
@JSON
def list_keys(tenant: str, *, as_json: bool) -> None:
    """List the keys of a TENANT (name or id), newest first."""

    async def work(database: Database) -> list[StoredKey]:
        found = await tenant_id(database, tenant)
        assert found is not None
        return await stored.list_keys(database, found, before=None, limit=ALL_KEYS)

    with settings_with_services() as settings:
        found = with_database(settings, work)
    if as_json:
        click.echo(_json([_shown(key) for key in found]))
        return
    for key in found:
        click.echo(f"{key.prefix}…  {key.kind}  {_state(key):<40}  {key.name}")


@keys.command()
@click.argument("key")
@JSON
def revoke(key: str, *, as_json: bool) -> None:
    """Revoke a KEY (the key itself, its prefix or its id); it stops working within five seconds."""
    with settings_with_services() as settings:
        found = with_database(
            settings, lambda database: Tenancy(database).revoke(**_named(key), actor=CLI)
        )
    click.echo(
        _json({"id": found.id, "prefix": found.prefix, "revoked": True}) if as_json else "revoked"
    )


@keys.command()
@click.argument("key")
@click.option(
    "--overlap",
    type=SPAN_OF_TIME,
    default=OVERLAP,
    help="How long the old key still works.  [default: 24h]",
)
@EXPIRES
@JSON
def rotate(key: str, *, overlap: timedelta, expires: datetime | None, as_json: bool) -> None:
    """Replace a KEY (the key itself, its prefix or its id) by a new one, which is printed once."""
    with settings_with_services() as settings:
        issued = with_database(
            settings,
            lambda database: Tenancy(database).rotate(
                **_named(key), overlap=overlap, expires_at=expires, actor=CLI
            ),
        )
    click.echo(_json(_issued(issued)) if as_json else issued.secret)


def _named(key: str) -> dict[str, Any]:
    """How a key is looked up by what was given of it."""
    try:
        return {"key_id": UUID(key)}
    except ValueError:
        return {"prefix": key_prefix(key)}


def _shown(key: StoredKey) -> Mapping[str, Any]:
    return {
        "id": key.id,
        "tenant_id": key.tenant_id,
        "name": key.name,
        "kind": key.kind,
        "prefix": key.prefix,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "last_used_at": key.last_used_at,
        "revoked_at": key.revoked_at,
        "replaced_by": key.replaced_by,
    }


def _issued(issued: IssuedKey) -> Mapping[str, Any]:
    return {**_shown(issued.stored), "key": issued.secret}


def _state(key: StoredKey) -> str:
    if key.revoked_at is not None:
        return f"revoked {key.revoked_at:%Y-%m-%d %H:%M}"
    if key.expires_at is not None:
        return f"until {key.expires_at:%Y-%m-%d %H:%M}" + ("  (rotated)" if key.replaced_by else "")
    return "for ever"


def _json(value: Any) -> str:
    return orjson.dumps(value, default=str).decode()
