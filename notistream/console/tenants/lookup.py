"""How a form names a tenant, by name or id, and which tenant a page shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from aiohttp import web

from notistream.access.authentication import DEFAULT_TENANT
from notistream.db import tenants
from notistream.db.pool import Queryable
from notistream.db.tenants import StoredTenant
from notistream.domain.validation import nul_error
from notistream.errors import FieldError, InvalidRequest
from notistream.web.server.context import RUNTIME

SUGGESTIONS = 100


@dataclass(frozen=True, slots=True)
class ShownTenant:
    """The tenant of a page, None where none exists, and names to suggest for another."""

    tenant: StoredTenant | None
    suggestions: Sequence[str]


async def find_tenant(db: Queryable, text: str | None) -> StoredTenant | None:
    """The tenant that a field names; None where the field is empty.

    Raises:
        InvalidRequest: no tenant has this name or id.
    """
    if not text:
        return None
    found = (
        None if nul_error(text) else await tenants.get_by_name(db, text) or await _by_id(db, text)
    )
    if found is None:
        raise InvalidRequest([FieldError("/tenant", f"there is no tenant {text[:100]!r}")])
    return found


async def require_tenant(db: Queryable, text: str) -> StoredTenant:
    """The same for a field that must be filled in.

    Raises:
        InvalidRequest: the field is empty, or no tenant has this name or id.
    """
    found = await find_tenant(db, text)
    if found is None:
        raise InvalidRequest([FieldError("/tenant", "is missing")])
    return found


async def suggested_names(db: Queryable) -> list[str]:
    """Names to suggest in a field, newest first; others may be typed too."""
    return [tenant.name for tenant in await tenants.list_page(db, before=None, limit=SUGGESTIONS)]


async def shown_tenant(request: web.Request, text: str | None) -> ShownTenant:
    """The tenant that a field names, else the tenant `default`, else the newest.

    Raises:
        InvalidRequest: no tenant has this name or id.
    """
    db = request.app[RUNTIME].database
    names = await suggested_names(db)
    found = await find_tenant(db, text) or await tenants.get_by_name(db, DEFAULT_TENANT)
    if found is None and names:
        found = await tenants.get_by_name(db, names[0])
    return ShownTenant(found, names)


async def _by_id(db: Queryable, text: str) -> StoredTenant | None:
    try:
        return await tenants.get(db, UUID(text))
    except ValueError:
        return None
