"""`notistream tenants …` and `notistream keys …`."""

from uuid import UUID

import click
import orjson

from notistream.commands.services import settings_with_services, with_database
from notistream.db import tenants as stored
from notistream.db.pool import Database
from notistream.errors import NotFound
from notistream.services.access import key_prefix, new_key


@click.group()
def tenants() -> None:
    """Tenants: isolated customers of this installation."""


@tenants.command("create")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def create(name: str, *, as_json: bool) -> None:
    """Create a tenant; prints its id."""
    with settings_with_services() as settings:
        tenant, new = with_database(settings, lambda database: stored.create(database, name))
    shown = {"id": str(tenant.id), "name": tenant.name, "created": new}
    note = "" if new else "  (was there)"
    click.echo(orjson.dumps(shown).decode() if as_json else f"{tenant.id}  {tenant.name}{note}")


@tenants.command("list")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def list_(*, as_json: bool) -> None:
    """List all tenants."""
    with settings_with_services() as settings:
        found = with_database(settings, stored.list_all)
    if as_json:
        click.echo(orjson.dumps([{"id": t.id, "name": t.name, "created_at": t.created_at} for t in found]).decode())
        return
    for tenant in found:
        click.echo(f"{tenant.id}  {tenant.name}")


@click.group()
def keys() -> None:
    """API keys of tenants."""


@keys.command()
@click.argument("tenant")
@click.option("--name", default="cli", show_default=True, help="What the key is for.")
@click.option("--kind", type=click.Choice(["live", "test"]), default="live", show_default=True)
def issue(tenant: str, name: str, kind: str) -> None:
    """Issue a key for a TENANT (name); it is printed once."""

    async def work(database: Database) -> str:
        found = await stored.get_by_name(database, tenant)
        if found is None:
            raise NotFound(f"there is no tenant {tenant!r}; see `notistream tenants list`")
        return await _issue(database, found.id, name, kind)

    with settings_with_services() as settings:
        click.echo(with_database(settings, work))


async def _issue(database: Database, tenant_id: UUID, name: str, kind: str) -> str:
    key, prefix, hashed = new_key(kind)
    await stored.issue_key(database, tenant_id, name=name, kind=kind, prefix=prefix, digest=hashed)
    return key


@keys.command()
@click.argument("key")
def revoke(key: str) -> None:
    """Revoke a KEY (the key itself, or its prefix); it stops working within five seconds."""
    with settings_with_services() as settings:
        if not with_database(settings, lambda database: stored.revoke_key(database, key_prefix(key))):
            raise NotFound("there is no live key with this prefix")
    click.echo("revoked")
