"""Whose things a page shows: the tenant that was asked for, or the one to begin with.

And ids in its address.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from aiohttp import web

from notistream.access.authentication import DEFAULT_TENANT
from notistream.console.tenants import lookup as tenant_field
from notistream.db import tenants
from notistream.db.tenants import StoredTenant
from notistream.errors import NotFound
from notistream.web.server.context import RUNTIME


@dataclass(frozen=True, slots=True)
class Choice:
    """The tenant, None where there is none at all; and names to choose another by, newest first."""

    tenant: StoredTenant | None
    offered: Sequence[str]


async def choice(request: web.Request, wanted: str | None) -> Choice:
    """Without a wish the tenant `default`, or the newest. Raises InvalidRequest."""
    database = request.app[RUNTIME].database
    offered = await tenant_field.offered(database)
    found = await tenant_field.meant(database, wanted) or await tenants.get_by_name(
        database, DEFAULT_TENANT
    )
    if found is None and offered:
        found = await tenants.get_by_name(database, offered[0])
    return Choice(found, offered)


def id_of(request: web.Request, name: str = "id") -> UUID:
    """An id in the path; what is not a UUID does not exist."""
    try:
        return UUID(request.match_info[name])
    except ValueError:
        raise NotFound(f"there is nothing at {request.path[:200]}") from None
