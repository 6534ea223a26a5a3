"""`notistream seed`: a tenant, a key and a recipient to begin with; can be run again."""

import click

from notistream.commands.services import settings_with_services, with_database
from notistream.db import tenants
from notistream.db.pool import Database
from notistream.domain.recipient import Contact
from notistream.services import recipients
from notistream.services.access import DEFAULT_TENANT, new_key

DEMO_RECIPIENT = "user-123"
DEMO_CONTACT = Contact(
    email="user-123@example.com", phone="+905000000001", push_tokens=("device-token-user-123",),
    timezone="Europe/Istanbul", locale="en",
)


async def seed_demo(database: Database) -> None:
    """The `default` tenant with a recipient, as AUTH=off uses it."""
    tenant, _ = await tenants.create(database, DEFAULT_TENANT)
    await recipients.put(database, tenant.id, DEMO_RECIPIENT, DEMO_CONTACT)


async def seed_tenant(database: Database, name: str) -> str:
    """A tenant with a recipient and a new test of its own; the new key, which is shown only now."""
    tenant, _ = await tenants.create(database, name)
    await recipients.put(database, tenant.id, DEMO_RECIPIENT, DEMO_CONTACT)
    key, prefix, hashed = new_key("live")
    await tenants.issue_key(database, tenant.id, name="seed", kind="live", prefix=prefix, digest=hashed)
    return key


@click.command()
@click.option("--demo", is_flag=True, help="Only the `default` tenant of AUTH=off, without a key.")
@click.option("--tenant", default="demo", show_default=True, help="Name of the tenant to make.")
def seed(*, demo: bool, tenant: str) -> None:
    """Make a tenant, a key and a recipient, and say how to use them."""
    with settings_with_services() as settings:
        with_database(settings, seed_demo)
        if demo:
            click.echo(f"tenant `{DEFAULT_TENANT}` has the recipient {DEMO_RECIPIENT}")
            return
        key = with_database(settings, lambda database: seed_tenant(database, tenant))
        click.echo(
            f"tenant {tenant}, recipient {DEMO_RECIPIENT}\nX-API-Key: {key}   (shown once)\n\n"
            f"curl -X POST http://{settings.host}:{settings.port}/api/v1/notifications \\\n"
            f"  -H 'X-API-Key: {key}' -H 'Content-Type: application/json' \\\n"
            f"""  -d '{{"recipient_id":"{DEMO_RECIPIENT}","channel":"email","template_id":"welcome","""
            """"payload":{"name":"Alice"}}'""")
