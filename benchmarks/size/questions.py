"""What is asked of a large database: requests to the API, and the console's statements."""

import itertools
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import asyncpg

from notistream.db import gauges, notification_search
from notistream.db.notification_search import Wanted
from notistream.db.pool import Database

V1 = "/api/v1"


@dataclass(frozen=True, slots=True)
class Known:
    """Of the default tenant: some that can be asked for."""

    ids: Sequence[str]
    recipients: Sequence[str]
    recipient_ids: Sequence[str]
    batches: Sequence[str]


async def known(connection: asyncpg.Connection) -> Known:
    """Chosen over the whole span of time."""
    rows = await connection.fetch(
        "SELECT n.id, n.recipient, n.recipient_id, n.batch_id FROM notifications n JOIN tenants t"
        " ON t.id = n.tenant_id WHERE t.name = 'default' AND n.created_at IS NOT NULL AND"
        " hashtext(n.id::text) % $1 = 0 LIMIT 2000",
        max(int(await connection.fetchval("SELECT count(*) FROM notifications")) // 4000, 1),
    )
    return Known(
        [str(r["id"]) for r in rows],
        [r["recipient"] for r in rows if r["recipient"]],
        [r["recipient_id"] for r in rows],
        [str(r["batch_id"]) for r in rows if r["batch_id"]],
    )


def questions(known: Known) -> Mapping[str, Callable[[], str]]:
    """By name: a path, another one each time."""
    pick = random.Random(1).choice
    deep = itertools.cycle(known.ids)

    def many(**fields: object) -> str:
        return f"{V1}/notifications?{urlencode(fields)}"

    def a_day() -> str:
        day = datetime.now(UTC) - timedelta(days=pick(range(350)))
        return many(date_from=day.isoformat(), date_to=(day + timedelta(days=1)).isoformat())

    return {
        "get": lambda: f"{V1}/notifications/{pick(known.ids)}",
        "trace": lambda: f"{V1}/notifications/{pick(known.ids)}/trace",
        "list, newest": lambda: many(),
        "list, any page of 100": lambda: many(cursor=next(deep), page_size=100),
        "list, channel": lambda: many(channel="push", cursor=next(deep)),
        "list, status delivered": lambda: many(status="delivered", cursor=next(deep)),
        "list, status failed": lambda: many(status="failed", cursor=next(deep)),
        "list, status unknown": lambda: many(status="unknown", cursor=next(deep)),
        "list, template that nothing has": lambda: many(template="none", cursor=next(deep)),
        "list, recipient": lambda: many(recipient=pick(known.recipients)),
        "list, recipient_id": lambda: many(recipient_id=pick(known.recipient_ids)),
        "list, batch": lambda: many(batch_id=pick(known.batches)),
        "list, a day": a_day,
        "batch": lambda: f"{V1}/batches/{pick(known.batches)}",
        "metrics": lambda: f"{V1}/metrics",
        "dead letters": lambda: "/internal/dlq",
        "dead letters, one reason": lambda: "/internal/dlq?reason=refused&replayed=false",
    }


def statements(database: Database) -> Mapping[str, Callable[[], Awaitable[object]]]:
    """What the console and the gauges ask, beside the API."""
    lanes = [
        (channel, priority)
        for channel in ("sms", "email")
        for priority in ("high", "normal", "low")
    ]
    return {
        "console: newest of all": lambda: notification_search.search(database, Wanted(), limit=50),
        "console: one status of all": lambda: notification_search.search(
            database, Wanted(status="unknown"), limit=50
        ),
        "gauge: open dead letters": lambda: gauges.dead_letters(database),
        "gauge: lateness": lambda: gauges.lateness_s(database, lanes),
    }
