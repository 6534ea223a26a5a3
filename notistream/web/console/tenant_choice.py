"""Whose things a page shows: the tenant that was asked for by name or id, or the one to begin with."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from aiohttp import web

from notistream.db import tenants
from notistream.db.tenants import StoredTenant
from notistream.domain.validation import nul_error
from notistream.errors import NotFound
from notistream.services.access import DEFAULT_TENANT
from notistream.web.context import RUNTIME

OFFERED = 100


@dataclass(frozen=True, slots=True)
class Choice:
    """The tenant, None where there is none at all; and names to choose another by, newest first."""

    tenant: StoredTenant | None
    offered: Sequence[str]


async def choice(request: web.Request, wanted: str) -> Choice:
    """Without a wish the tenant `default`, or the newest. Raises NotFound."""
    database, wanted = request.app[RUNTIME].database, wanted.strip()
    offered = await tenants.list_page(database, before=None, limit=OFFERED)
    found = await _find(request, wanted or DEFAULT_TENANT)
    if wanted and found is None:
        raise NotFound(f"there is no tenant {wanted[:100]!r}")
    return Choice(found or next(iter(offered), None), [tenant.name for tenant in offered])


async def tenant_of(request: web.Request, wanted: str) -> StoredTenant:
    """The tenant with this id or name. Raises NotFound."""
    found = await _find(request, wanted)
    if found is None:
        raise NotFound("there is no such tenant")
    return found


async def _find(request: web.Request, wanted: str) -> StoredTenant | None:
    database = request.app[RUNTIME].database
    if nul_error(wanted):
        return None
    try:
        return await tenants.get(database, UUID(wanted))
    except ValueError:
        return await tenants.get_by_name(database, wanted)


def id_of(request: web.Request, name: str = "id") -> UUID:
    """An id in the path; what is not a UUID does not exist."""
    try:
        return UUID(request.match_info[name])
    except ValueError:
        raise NotFound(f"there is nothing at {request.path[:200]}") from None
