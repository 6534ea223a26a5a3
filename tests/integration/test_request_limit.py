"""The request limit on a real PostgreSQL: two processes on one key never let through more than the
limit per window.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from notistream.access.authentication import new_key
from notistream.access.request_limit import RateLimitState, RequestLimit
from notistream.db import queries, request_windows, tenants
from notistream.db.pool import Database
from notistream.domain.rate_limit import Rate, parse_rate
from notistream.observability import metrics
from tests.integration.test_api_contract import NOTIFICATIONS, serving
from tests.moments import lasting
from tests.services import Endpoints
from tests.stack import Stack, stack
from tests.unit.web_fakes import problem_of

pytestmark = pytest.mark.integration


@pytest.fixture
async def two(database_url: str) -> AsyncIterator[tuple[Database, Database]]:
    """Two processes' pools."""
    pools = [Database(database_url, size=3, name=f"test-{n}") for n in range(2)]
    yield pools[0], pools[1]
    for pool in pools:
        await pool.close()


async def key_in(db: Database, name: str = "a") -> UUID:
    tenant, _ = await tenants.create(db, name)
    _, prefix, hashed = new_key("live")
    return (
        await tenants.issue_key(db, tenant.id, name="k", kind="live", prefix=prefix, digest=hashed)
    ).id


def limiters(two: tuple[Database, Database], rate: Rate) -> list[RequestLimit]:
    return [RequestLimit(rate, partial(request_windows.reserve, db)) for db in two]


async def hammer(
    limit: RequestLimit, key: UUID, seen: list[tuple[float, RateLimitState]], *, until: float
) -> None:
    while time.time() < until:
        started = time.time()
        standing = await limit.take(key)
        if (
            standing is not None
        ):  # uncounted: PostgreSQL took too long on a machine that has other things to do
            seen.append((started, standing))
        await asyncio.sleep(0)


@pytest.mark.parametrize("count", [7, 100, 2000])
async def test_two_processes_never_exceed_the_limit_of_a_window(
    two: tuple[Database, Database], count: int
) -> None:
    key, seen = await key_in(two[0]), []
    until = time.time() + 3.2  # over three ends of a window, at least
    await asyncio.gather(
        *(
            hammer(limit, key, seen, until=until)
            for limit in limiters(two, Rate(count, 1))
            for _ in range(8)
        )
    )
    admitted = Counter(standing.window for _, standing in seen if standing.admitted)
    assert max(admitted.values()) <= count
    assert len(admitted) >= 3
    assert count > 7 or not all(standing.admitted for _, standing in seen), "the limit was reached"
    for started, standing in seen:
        if standing.admitted:
            assert started < standing.window + 1, "nothing of a window that is over is used"


async def test_a_window_is_used_up_by_one_process_alone(two: tuple[Database, Database]) -> None:
    limit, key = limiters(two, parse_rate(lasting(500)))[0], await key_in(two[0])
    standings = [await limit.take(key) for _ in range(700)]
    windows = Counter(s.window for s in standings if s and s.admitted)
    assert max(windows.values()) == 500
    row = await two[0].fetchrow("SELECT count(*) AS rows, sum(used) AS used FROM request_windows")
    assert row is not None
    assert row["rows"] == 1


async def test_every_query_prepares_on_the_migrated_schema(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    for stem in (
        "request_windows",
        "tenants",
        "audit_log",
        "idempotency",
        "batches",
        "templates",
        "stats",
    ):
        for query in queries.load(stem).values():
            await connection.prepare(query)
    await connection.close()


async def test_over_the_limit_is_429_with_when_to_come_back(database_url: str) -> None:
    limit = lasting(3)
    window_s = parse_rate(limit).window_s
    async with serving(database_url, auth="on", api_rate_limit=limit) as (client, runtime):
        keys = []
        for name in "ab":
            tenant, _ = await tenants.create(runtime.database, name)
            issued = await runtime.tenancy.issue(
                tenant.id, name="k", kind="live", expires_at=None, actor="cli"
            )
            keys.append({"X-API-Key": issued.secret})
        before = metrics.REGISTRY.get_sample_value("notistream_api_rate_limited_total") or 0
        for left in (2, 1, 0):
            answer = await client.get(NOTIFICATIONS, headers=keys[0])
            assert answer.status == 200
            assert answer.headers["RateLimit-Policy"] == f'"key";q=3;w={window_s}'
            assert answer.headers["RateLimit"].startswith(f'"key";r={left};t=')
        refused = await client.get(NOTIFICATIONS, headers=keys[0])
        problem = await problem_of(refused, 429)
        assert problem["code"] == "too_many_requests"
        assert 1 <= int(refused.headers["Retry-After"]) <= window_s
        assert refused.headers["RateLimit"] == f'"key";r=0;t={refused.headers["Retry-After"]}'
        assert (
            metrics.REGISTRY.get_sample_value("notistream_api_rate_limited_total") or 0
        ) == before + 1
        assert (await client.get(NOTIFICATIONS, headers=keys[1])).status == 200, (
            "another key has its own"
        )
        wrong = await client.get(NOTIFICATIONS, headers={"X-API-Key": "x"})
        assert wrong.status == 401
        assert "RateLimit" not in wrong.headers


@pytest.mark.parametrize(
    "settings", [{"auth": "on", "api_rate_limit": "0"}, {"auth": "off", "api_rate_limit": "1/day"}]
)
async def test_no_limit_where_none_is_wanted_and_none_while_auth_is_off(
    database_url: str, settings: dict[str, str]
) -> None:
    async with serving(database_url, **settings) as (client, runtime):
        tenant, _ = await tenants.create(runtime.database, "default")
        issued = await runtime.tenancy.issue(
            tenant.id, name="k", kind="live", expires_at=None, actor="cli"
        )
        for _ in range(5):
            answer = await client.get(NOTIFICATIONS, headers={"X-API-Key": issued.secret})
            assert answer.status == 200
            assert "RateLimit" not in answer.headers


async def test_two_api_processes_share_one_limit(
    endpoints: Endpoints, database_url: str, topics_prefix: str, tmp_path: Path
) -> None:
    async with stack(
        database_url=database_url,
        brokers=endpoints.kafka_brokers,
        prefix=topics_prefix,
        folder=tmp_path,
        AUTH="on",
        API_RATE_LIMIT=lasting(200),
    ) as product:
        apis = [await product.api() for _ in range(2)]
        key = (await product.run("keys", "issue", "default")).strip()
        first = [await _get(product, api.url, key) for api in apis]  # they connect to PostgreSQL
        statuses = await asyncio.gather(*(_get(product, apis[n % 2].url, key) for n in range(398)))
        assert Counter([*first, *statuses]) == {200: 200, 429: 200}


async def _get(product: Stack, url: str, key: str) -> int:
    async with product.http.get(
        f"{url}{NOTIFICATIONS}?page_size=1", headers={"X-API-Key": key}
    ) as answer:
        return answer.status
