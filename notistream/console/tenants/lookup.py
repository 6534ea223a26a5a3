"""Which tenant a field of a form means: its name, or its id."""

from uuid import UUID

from notistream.db import tenants
from notistream.db.pool import Queryable
from notistream.db.tenants import StoredTenant
from notistream.domain.validation import nul_error
from notistream.errors import FieldError, InvalidRequest

OFFERED = 100


async def meant(db: Queryable, text: str | None) -> StoredTenant | None:
    """None where the field is empty; raises InvalidRequest where it is nobody's name or id."""
    if not text:
        return None
    found = (
        None if nul_error(text) else await tenants.get_by_name(db, text) or await _by_id(db, text)
    )
    if found is None:
        raise InvalidRequest([FieldError("/tenant", f"there is no tenant {text[:100]!r}")])
    return found


async def chosen(db: Queryable, text: str) -> StoredTenant:
    """Raises InvalidRequest also where the field is empty."""
    found = await meant(db, text)
    if found is None:
        raise InvalidRequest([FieldError("/tenant", "is missing")])
    return found


async def _by_id(db: Queryable, text: str) -> StoredTenant | None:
    try:
        return await tenants.get(db, UUID(text))
    except ValueError:
        return None


async def offered(db: Queryable) -> list[str]:
    """Names to choose from while typing, the newest first; others may be typed too."""
    return [tenant.name for tenant in await tenants.list_page(db, before=None, limit=OFFERED)]
