"""`notistream seed`: a tenant, a key and a recipient to begin with; can be run again."""

import click

from notistream.access.authentication import DEFAULT_TENANT
from notistream.access.tenants import IssuedKey, Tenancy
from notistream.commands.services import settings_with_services, with_database
from notistream.db import tenants
from notistream.db.audit_log import CLI
from notistream.db.pool import Database
from notistream.domain.recipient import Contact
from notistream.errors import TenantExists
from notistream.recipients import contacts
from notistream.templates.starters import starters

KEY_NAME = "seed"
KEYS_LOOKED_AT = 1000
DEMO_RECIPIENT = "user-123"
DEMO_CONTACT = Contact(
    email="user-123@example.com",
    phone="+905000000001",
    push_tokens=("device-token-user-123",),
    timezone="Europe/Istanbul",
    locale="en",
)


async def seed_demo(database: Database) -> None:
    """The `default` tenant with a recipient, as AUTH=off uses it."""
    tenant, _ = await tenants.create(database, DEFAULT_TENANT)
    await contacts.put(database, tenant.id, DEMO_RECIPIENT, DEMO_CONTACT)


async def seed_tenant(database: Database, name: str) -> tuple[bool, IssuedKey]:
    """Create a tenant with a recipient and a key; also say whether the tenant is new.

    A tenant that was seeded before keeps one seed key: it is rotated, so that its users have a day
    to change.
    """
    tenancy = Tenancy(database)
    try:
        tenant, new = await tenancy.create(name, actor=CLI), True
    except TenantExists:
        tenant, new = await tenants.create(database, name)
    await contacts.put(database, tenant.id, DEMO_RECIPIENT, DEMO_CONTACT)
    known = await tenants.list_keys(database, tenant.id, before=None, limit=KEYS_LOOKED_AT)
    lasting = [
        k for k in known if k.name == KEY_NAME and k.revoked_at is None and k.expires_at is None
    ]
    if lasting:
        return new, await tenancy.rotate(key_id=lasting[0].id, actor=CLI)
    return new, await tenancy.issue(
        tenant.id, name=KEY_NAME, kind="live", expires_at=None, actor=CLI
    )


@click.command()
@click.option("--demo", is_flag=True, help="Only the `default` tenant of AUTH=off, without a key.")
@click.option("--tenant", default="demo", show_default=True, help="Name of the tenant to create.")
def seed(*, demo: bool, tenant: str) -> None:
    """Create a tenant, a key and a recipient, and say how to use them.

    Run again, it replaces the key by a new one.
    """
    with settings_with_services() as settings:
        with_database(settings, seed_demo)
        if demo:
            click.echo(f"tenant `{DEFAULT_TENANT}` has the recipient {DEMO_RECIPIENT}")
            return
        new, issued = with_database(settings, lambda database: seed_tenant(database, tenant))
        click.echo(_what_is_there(tenant, new=new))
        click.echo(_how_to_use(f"http://{settings.host}:{settings.port}/api/v1", issued.secret))


def _what_is_there(tenant: str, *, new: bool) -> str:
    texts = ", ".join(f"{name} ({channel})" for channel, name in starters())
    again = (
        ""
        if new
        else (
            "\nThe tenant existed already. Its old seed key works for another 24 hours; this key"
            " replaces it."
        )
    )
    return f"tenant {tenant}\nrecipient {DEMO_RECIPIENT}\nstarter templates {texts}{again}"


def _how_to_use(base: str, key: str) -> str:
    return (
        f"X-API-Key: {key}   (shown once; `notistream keys --help` has the rest)\n\n"
        f"curl -X POST {base}/notifications \\\n"
        f"  -H 'X-API-Key: {key}' -H 'Content-Type: application/json' \\\n"
        f"""  -d '{{"recipient_id":"{DEMO_RECIPIENT}","channel":"email","template_id":"welcome","""
        """"payload":{"name":"Alice"}}'"""
    )
