"""Plans: the statements that run all the time look at what they need, however many rows wait or are
done.
"""

from datetime import timedelta
from typing import Any

import asyncpg
import orjson
import pytest

from notistream.db.deliveries import SQL

pytestmark = pytest.mark.integration

ROWS = """
INSERT INTO notifications (id, tenant_id, channel, priority, recipient, content, status, due_at,
    seq)
SELECT gen_random_uuid(), $1, 'sms', 'normal', '+905000000001', 'hi', $2, now() + $3::interval, 1
FROM generate_series(1, $4::integer)
"""


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """A plan's nodes, flat."""
    return [plan, *(node for child in plan.get("Plans", ()) for node in nodes(child))]


async def looked_at(
    connection: asyncpg.Connection, sql: str, *arguments: object, table: str = "notifications"
) -> float:
    """Rows of a table that a statement looked at."""
    found = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", *arguments)
    return sum(
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        for node in nodes(orjson.loads(found)[0]["Plan"])
        if node.get("Relation Name") == table and "Scan" in node["Node Type"]
    )


@pytest.mark.parametrize("due", [0, 200])
async def test_the_scheduler_looks_at_what_is_due_only(database_url: str, due: int) -> None:
    connection = await asyncpg.connect(database_url)
    tenant = await connection.fetchval(
        "INSERT INTO tenants (id, name) VALUES (gen_random_uuid(), 't') RETURNING id"
    )
    await connection.execute(ROWS, tenant, "delivered", None, 40_000)
    await connection.execute(ROWS, tenant, "deferred", timedelta(days=1), 10_000)
    await connection.execute(ROWS, tenant, "deferred", timedelta(minutes=-1), due)
    await connection.execute("ANALYZE notifications")
    rows = await looked_at(
        connection,
        *SQL["queue_due"](
            grace=timedelta(seconds=5),
            lanes=[
                {"channel": "sms", "priority": priority, "room": 1000}
                for priority in ("high", "normal", "low")
            ],
        ),
    )
    assert rows <= 3 * due + 10
    await connection.close()
