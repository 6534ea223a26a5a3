"""Parameters that commands share: moments in time, and tenants."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import click

from notistream.db import tenants
from notistream.db.pool import Queryable
from notistream.errors import NotFound

SPAN = re.compile(r"(\d{1,6})([smhd])\Z")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def span(text: str) -> timedelta | None:
    """`7d`, `12h`, `30m`, `90s`; None for anything else."""
    found = SPAN.match(text)
    return timedelta(**{UNITS[found[2]]: int(found[1])}) if found else None


class SpanParameter(click.ParamType):
    """A length of time."""

    name = "span"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        found = value if isinstance(value, timedelta) else span(value)
        return (
            self.fail(f"{value!r} is not a span such as 7d, 12h, 30m", param, ctx)
            if found is None
            else found
        )


class MomentParameter(click.ParamType):
    """A date and time, or how long ago it was; `ahead`: or how long it is until then."""

    name = "moment"

    def __init__(self, *, ahead: bool = False) -> None:
        self._sign = 1 if ahead else -1

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        if isinstance(value, datetime):
            return value
        if (away := span(value)) is not None:
            return datetime.now(UTC) + self._sign * away
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            self.fail(
                f"{value!r} is neither a date and time such as 2026-01-31T09:00:00Z nor a span such"
                " as 7d, 12h, 30m",
                param,
                ctx,
            )
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


MOMENT, LATER, SPAN_OF_TIME = MomentParameter(), MomentParameter(ahead=True), SpanParameter()


async def tenant_id(database: Queryable, text: str | None) -> UUID | None:
    """The id of a tenant that was given by its name or id; raises NotFound."""
    if text is None:
        return None
    for tenant in await tenants.list_all(database):
        if text in (tenant.name, str(tenant.id)):
            return tenant.id
    raise NotFound(f"there is no tenant {text!r}; see `notistream tenants list`")
