"""Who acts on a tenant's things: the tenant itself, or an operator, who is noted in the audit log by name."""

from contextlib import AbstractAsyncContextManager
from uuid import UUID

from notistream.db.pool import Database, Queryable


def transaction_as(
    database: Database, tenant_id: UUID, actor: str | None
) -> AbstractAsyncContextManager[Queryable]:
    """A transaction: of the tenant, behind its wall, where no operator is named.

    The role of a tenant notes what it does under its own name only, so an operator acts outside of
    it; every statement names the tenant all the same.
    """
    return database.transaction() if actor else database.of(tenant_id).transaction()


def shown_actor(actor: str | None) -> str:
    """As traces name them, which tenants read."""
    return "an operator" if actor else "the sender"
