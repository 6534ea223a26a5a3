"""The console's search: right whatever is asked for, and never looking at more than a stretch."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from notistream.db import notification_search as search
from notistream.db.ids import FIRST, id_at
from notistream.db.notification_search import SQL, STRETCH, Wanted
from notistream.db.pool import Database
from tests.integration.test_plans import looked_at

pytestmark = pytest.mark.integration

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
SINCE, UNTIL = BEGIN + timedelta(hours=1), BEGIN + timedelta(hours=20)
ROWS = 200_000
SMALL, LARGE = UUID(int=1), UUID(int=2)
# A notification per second; one in 1,000 is of the small tenant.
PLANT = """
INSERT INTO notifications (id, tenant_id, channel, priority, recipient, content, status, template_name, created_at)
SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '70008' || lpad(to_hex(n), 15, '0'))::uuid,
    CASE WHEN n % 1000 = 0 THEN $1::uuid ELSE $2::uuid END, 'sms', 'normal', '+9050' || lpad((n % 50000)::text, 8, '0'),
    'hi', CASE WHEN n % 10000 = 7 THEN 'failed' ELSE 'delivered' END, CASE WHEN n % 2 = 0 THEN 'welcome' END, at
FROM (SELECT n, $3::timestamptz + n * interval '1 second' AS at FROM generate_series(1, $4::integer) n) made
"""


@pytest.fixture
async def planted(database_url: str):
    connection = await asyncpg.connect(database_url)
    await connection.execute(PLANT, SMALL, LARGE, BEGIN, ROWS)
    await connection.execute("VACUUM ANALYZE notifications")
    db = Database(database_url, size=2, name="test")
    yield db, connection
    await db.close()
    await connection.close()


async def all_of(db, wanted: Wanted) -> tuple[list[UUID], int]:
    """Every match, by going on to the end; and how many pages it took."""
    found, pages = [], 0
    while True:
        page = await search.search(db, wanted, limit=50)
        found += [one.id for one in page.notifications]
        pages += 1
        if page.older is None:
            return found, pages
        wanted = Wanted(
            **{name: getattr(wanted, name) for name in Wanted.__slots__} | {"before": page.older}
        )


async def test_every_match_is_found_once_whatever_is_asked(planted):
    db, connection = planted
    for wanted, where in (
        (Wanted(status="failed"), "status = 'failed'"),
        (Wanted(tenant_id=SMALL), f"tenant_id = '{SMALL}'"),
        (
            Wanted(tenant_id=SMALL, template="welcome"),
            f"tenant_id = '{SMALL}' AND template_name = 'welcome'",
        ),
        (Wanted(recipient="+905000000123"), "recipient = '+905000000123'"),
        (
            Wanted(recipient="+905000000123", tenant_id=LARGE, since=SINCE, until=UNTIL),
            f"recipient = '+905000000123' AND created_at >= '{SINCE}' AND created_at < '{UNTIL}'",
        ),
        (Wanted(channel="email"), "channel = 'email'"),
    ):
        found, pages = await all_of(db, wanted)
        expected = await connection.fetch(
            f"SELECT id FROM notifications WHERE {where} ORDER BY id DESC"
        )
        assert found == [row["id"] for row in expected], wanted
        assert pages <= ROWS // STRETCH + len(found) // 50 + 1


async def test_a_page_looks_at_no_more_than_a_stretch(planted):
    _, connection = planted
    await connection.execute(
        "SET plan_cache_mode = force_generic_plan"
    )  # as after the fifth search
    everything = (search.LAST, search.FIRST)
    end = await connection.fetchval(SQL["end_of_stretch"], LARGE, *everything, True, STRETCH)
    cases = {
        "newest of all": ("of_all", (*everything, None, None, None, None, 51), 51),
        "newest of a small tenant": (
            "of_tenant",
            (SMALL, *everything, None, None, None, None, 51),
            51,
        ),
        "a recipient of a tenant": (
            "of_tenant",
            (LARGE, search.LAST, end, None, None, "+905000000123", None, 51),
            STRETCH,
        ),
        "a recipient of a small tenant": (
            "of_tenant",
            (SMALL, *everything, None, None, "+905000000123", None, 51),
            200,
        ),
        "a status of all": (
            "of_all",
            (search.LAST, end, "expired", None, None, None, 51),
            STRETCH + 100,
        ),
        "where it ends, of a tenant": (
            "end_of_stretch",
            (LARGE, *everything, True, STRETCH),
            STRETCH,
        ),
        "where it ends, of all": ("end_of_stretch", (None, *everything, False, STRETCH), STRETCH),
        "where it ends, of a small tenant": (
            "end_of_stretch",
            (SMALL, *everything, True, STRETCH),
            200,
        ),
    }
    for what, (query, arguments, most) in cases.items():
        assert await looked_at(connection, SQL[query], *arguments) <= most, what


async def test_the_first_id_of_a_moment_is_below_all_of_it(planted):
    db, _ = planted
    at = BEGIN + timedelta(seconds=100)
    found = await search.search(db, Wanted(since=at, until=at + timedelta(seconds=3)), limit=50)
    assert [one.created_at for one in found.notifications] == [
        at + timedelta(seconds=n) for n in (2, 1, 0)
    ]
    assert id_at(datetime(1960, 1, 1, tzinfo=UTC)) == FIRST
