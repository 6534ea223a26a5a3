"""The model and the code in step: a covering set of the model's traces, taken on the real database."""

from types import ModuleType

import pytest

from notistream.db import deliveries, notifications, replay, tenants
from notistream.db.pool import Database
from tests.model.follower import Follower
from tests.model.traces import covering, walk
from tests.model.worlds import TRACED

pytestmark = pytest.mark.integration
TABLES = "notifications, outbox, leases, attempts, trace_steps, dead_letters, replayed, repairs"


async def follow(name: str, database_url: str) -> None:
    """Take the world's traces; raises AssertionError with the steps up to the first difference."""
    world = TRACED[name]
    db = Database(database_url, size=2, name="test")
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


@pytest.mark.parametrize("name", TRACED)
async def test_the_database_follows_the_model(name: str, database_url: str) -> None:
    await follow(name, database_url)


@pytest.mark.parametrize(
    ("name", "module", "query", "guard", "instead"),
    [
        ("stale copies", deliveries, "claim", " AND n.seq = m.seq", ""),
        ("zombies", deliveries, "finish", " AND n.lease_token = f.token", ""),
        ("zombies", deliveries, "finish_late", " AND attempts = $3", ""),
        ("answers", deliveries, "queue", " AND n.due_at <= now()", ""),
        ("answers", deliveries, "finish", "- (f.outcome = 'not_called')::integer", ""),
        ("reschedule", notifications, "cancel", "'deferred')", "'deferred', 'processing')"),
        ("cancel and replay", replay, "replay", "chain = n.chain + 1", "chain = n.chain"),
        ("cancel and replay", deliveries, "park", "status = 'deferred'", "status = 'retrying'"),
    ],
    ids=[
        "claim: seq",
        "finish: token",
        "finish_late: attempts",
        "queue: due",
        "finish: not called",
        "cancel: claimed",
        "replay: chain",
        "park: status",
    ],
)
async def test_a_statement_that_loses_its_guard_is_noticed(
    name: str,
    module: ModuleType,
    query: str,
    guard: str,
    instead: str,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert guard in module.SQL[query]
    monkeypatch.setattr(
        module, "SQL", {**module.SQL, query: module.SQL[query].replace(guard, instead)}
    )
    with pytest.raises(AssertionError, match="create"):
        await follow(name, database_url)
