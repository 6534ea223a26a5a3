"""The model and the code in step: a covering set of the model's traces, taken on the real database."""

import pytest

from notistream.db import tenants
from notistream.db.pool import open_database
from tests.model.follower import Follower
from tests.model.traces import covering, walk
from tests.model.worlds import TRACED

pytestmark = pytest.mark.integration
TABLES = "notifications, outbox, leases, attempts, trace_steps, dead_letters, replayed, repairs"


@pytest.mark.parametrize("name", TRACED)
async def test_the_database_follows_the_model(name: str, database_url: str) -> None:
    world = TRACED[name]
    db = await open_database(database_url, size=2, name="test")
    try:
        tenant, _ = await tenants.create(db, "default")
        for way in covering(world):
            await db.fetch(f"TRUNCATE {TABLES}")
            follower, taken = Follower(db, tenant.id, world), []
            for step, after in walk(world, way):
                taken.append(step)
                try:
                    await follower.take(step, after)
                except AssertionError as exc:
                    raise AssertionError("\n".join(map(str, [*taken, exc]))) from exc
    finally:
        await db.close()
