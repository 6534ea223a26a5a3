"""Options of the `dlq` commands that say which dead letters are meant."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import click

from notistream.commands.parameters import MOMENT, tenant_id
from notistream.db.dead_letters import Filter
from notistream.db.pool import Database
from notistream.domain.notification import CHANNEL_NAMES

F = TypeVar("F", bound=Callable[..., Any])
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
FILTERS = (
    click.option("--tenant", help="Only of this tenant (name or id)."),
    click.option("--channel", type=click.Choice(list(CHANNEL_NAMES)), help="Only of this channel."),
    click.option("--reason", help="Only whose reason contains this, in any case."),
    click.option("--notification", type=click.UUID, help="Only of this notification."),
    click.option("--template", help="Only made from this template (name or id)."),
    click.option(
        "--since", type=MOMENT, help="Dead since: a date and time (UTC), or a span such as 2h."
    ),
    click.option("--until", type=MOMENT, help="Dead before then."),
)


def filters(command: F) -> F:
    """Add the options; the command hands what they gave to `DeadLetterFilters`."""
    for option in reversed(FILTERS):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterFilters:
    """The filter as it was written on the command line."""

    tenant: str | None
    channel: str | None
    reason: str | None
    notification: UUID | None
    template: str | None
    since: datetime | None
    until: datetime | None

    @property
    def anything(self) -> bool:
        """Whether any filter was given."""
        return any(value is not None for value in asdict(self).values())

    async def filter(self, database: Database, *, replayed: bool | None = None) -> Filter:
        """As the use cases take it; raises NotFound for an unknown tenant."""
        return Filter(
            tenant_id=await tenant_id(database, self.tenant),
            reason=self.reason,
            notification_id=self.notification,
            channel=CHANNEL_NAMES[self.channel] if self.channel else None,
            template=self.template,
            since=self.since,
            until=self.until,
            replayed=replayed,
        )
