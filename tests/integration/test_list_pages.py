"""Lists of notifications, page by page: everything that matches turns up once, whatever is asked
for.
"""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from notistream.db import notifications, tenants
from notistream.db.notifications import Filter
from notistream.db.pool import Database

pytestmark = pytest.mark.integration
COUNT = 60
ROWS = f"""
INSERT INTO notifications (id, tenant_id, batch_id, channel, priority, recipient, recipient_id, template_name, content,
    status, created_at)
SELECT (left(first_id(at)::text, 15) || substr(gen_random_uuid()::text, 16))::uuid, $1,
    CASE WHEN n % 4 = 0 THEN $2::uuid END, CASE WHEN n % 3 = 0 THEN 'email' ELSE 'sms' END, 'normal',
    CASE WHEN n % 5 > 0 THEN 'a' || n % 5 END, CASE WHEN n % 5 < 2 THEN 'u-' || n % 5 END, 't' || n % 6, n::text,
    CASE WHEN n % 20 = 1 THEN 'failed' ELSE 'delivered' END, at
FROM generate_series(1, {COUNT}) AS n, LATERAL (SELECT $3::timestamptz - n * interval '1 hour' AS at) a
"""
BATCH = uuid4()
NOW = datetime.now(UTC)
CASES = [
    ({}, lambda n: True),
    ({"statuses": ["failed"]}, lambda n: n % 20 == 1),
    ({"statuses": ["unknown"]}, lambda n: False),
    ({"channel": "email"}, lambda n: n % 3 == 0),
    ({"template": "t5"}, lambda n: n % 6 == 5),
    ({"recipient": "a2"}, lambda n: n % 5 == 2),
    ({"recipient_id": "u-0"}, lambda n: n % 5 == 0),
    (
        {"recipient": "a1", "recipient_id": "u-1", "channel": "email"},
        lambda n: n % 5 == 1 and n % 3 == 0,
    ),
    ({"recipient": "a3", "batch_id": BATCH}, lambda n: n % 5 == 3 and n % 4 == 0),
    ({"recipient_id": "u-0", "batch_id": BATCH}, lambda n: n % 5 == 0 and n % 4 == 0),
    ({"batch_id": BATCH}, lambda n: n % 4 == 0),
    ({"batch_id": BATCH, "statuses": ["failed"], "template": "t3"}, lambda n: False),
    ({"date_from": NOW - timedelta(hours=10.5)}, lambda n: n <= 10),
    ({"date_to": NOW - timedelta(hours=50.5)}, lambda n: n > 50),
    (
        {
            "date_from": NOW - timedelta(hours=40.5),
            "date_to": NOW - timedelta(hours=20.5),
            "channel": "email",
        },
        lambda n: 20 < n <= 40 and n % 3 == 0,
    ),
]


@pytest.fixture
async def tenant(database_url):
    """Two tenants with the same messages; what sees the database as the first does, and its id."""
    db = Database(database_url, size=2, name="test")
    ids = [(await tenants.create(db, name))[0].id for name in ("one", "other")]
    for tenant_id, batch in zip(ids, (BATCH, uuid4()), strict=True):
        await db.fetch(ROWS, tenant_id, batch, NOW)
    try:
        yield db.of(ids[0]), ids[0]
    finally:
        await db.close()


@pytest.mark.parametrize(
    ("asked", "matches"),
    CASES,
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "rows",
)
@pytest.mark.parametrize("stretch", [7, 10_000])
async def test_every_match_turns_up_once_in_order(tenant, asked, matches, stretch):
    db, tenant_id = tenant
    found, before, pages = [], None, 0
    while before is not None or not pages:
        page = await notifications.list_page(
            db, tenant_id, Filter(before=before, **asked), limit=4, stretch=stretch
        )
        assert len(page.notifications) <= 4
        found += [int(stored.content) for stored in page.notifications]
        before, pages = page.older, pages + 1
    assert found == [n for n in range(1, COUNT + 1) if matches(n)]


async def test_a_rare_status_ends_the_page_and_the_cursor_leads_on(tenant):
    db, tenant_id = tenant
    page = await notifications.list_page(
        db, tenant_id, Filter(statuses=["unknown"]), limit=20, stretch=50
    )
    assert page.notifications == []
    assert page.older is not None
    rest = await notifications.list_page(
        db, tenant_id, Filter(statuses=["unknown"], before=page.older), limit=20, stretch=50
    )
    assert (rest.notifications, rest.older) == ([], None)


async def test_an_address_longer_than_an_index_takes_is_stored_and_found(tenant):
    db, tenant_id = tenant
    token = "".join(uuid4().hex for _ in range(128))
    async with db.transaction() as connection:
        await connection.fetch(
            "INSERT INTO notifications (id, tenant_id, channel, priority, recipient, status)"
            " VALUES ($1, $2, 'push', 'normal', $3, 'delivered')",
            uuid4(),
            tenant_id,
            token,
        )
    found = await notifications.list_page(db, tenant_id, Filter(recipient=token), limit=4)
    assert [stored.recipient for stored in found.notifications] == [token]
