"""Acting for a tenant: the tenant itself, or an operator whom the audit log names."""

from contextlib import AbstractAsyncContextManager
from uuid import UUID

from notistream.db.pool import Database, Queryable


def transaction_as(
    database: Database, tenant_id: UUID, actor: str | None
) -> AbstractAsyncContextManager[Queryable]:
    """Open a transaction in the tenant's database role, or outside it for an operator.

    A tenant's role may write audit entries under its own name only, so an operator cannot use it.
    Every statement still names the tenant.
    """
    return database.transaction() if actor else database.of(tenant_id).transaction()


def shown_actor(actor: str | None) -> str:
    """Return the actor's name for traces, which tenants can read."""
    return "an operator" if actor else "the sender"
