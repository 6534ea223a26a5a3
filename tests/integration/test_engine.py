"""The delivery engine with real processes: outages, refusals, limits, lanes, failover, tables."""

import asyncio
import random
import shutil
from collections import Counter, defaultdict

import asyncpg
import pytest

from tests.moments import counted_in_windows, lasting, most_in_any
from tests.receiver import receiver
from tests.stack import messages, stack, until

pytestmark = pytest.mark.integration


async def accept(product, items, **headers):
    """Batches of at most a thousand; their ids."""
    return [await product.batch(items[at : at + 1000]) for at in range(0, len(items), 1000)]


async def ended(product, batches, patience_s=90.0):
    """The counts of all batches together that are not zero, once nothing is pending."""
    total = Counter()
    for batch in batches:
        found = await product.batch_ended(batch, patience_s=patience_s)
        total.update(
            {name: found[name] for name in ("delivered_count", "failed_count", "cancelled_count")}
        )
    return +total


async def test_an_outage_makes_messages_wait_and_only_probes_are_sent_while_the_breaker_is_open(
    running,
):
    product, ledger = running
    down = True
    ledger.answer = lambda _: (503, {}) if down else (202, {})
    batches = await accept(product, messages(3000))
    worker = await product.worker(WORKER_CONCURRENCY="16")
    await until(lambda: opened(product, worker, 1), what="the breaker to open")

    async def idle() -> bool:
        return await product.metric(worker, "notistream_lane_in_flight") == 0

    await until(idle, what="what was admitted before the breaker opened to end")
    times = await product.metric(worker, "notistream_breaker_opened_total", channel="sms")
    before = len(ledger.calls)
    await until(lambda: opened(product, worker, times + 3), what="three probes to fail")
    assert len(ledger.calls) - before == 3
    assert before <= 5 + 16
    down = False
    assert await ended(product, batches) == {"delivered_count": 3000}
    assert ledger.duplicates == 0
    _, page = await product.call("GET", "/api/v1/notifications?page_size=100")
    assert max(row["attempts"] for row in page["data"]) <= 3


async def opened(product, worker, times):
    return await product.metric(worker, "notistream_breaker_opened_total", channel="sms") >= times


async def test_refusals_are_not_an_outage(running):
    product, ledger = running
    ledger.answer = lambda call: (400, {}) if int(call["content"]) < 5 else (202, {})
    batches = await accept(product, messages(500))
    await product.worker()
    assert await ended(product, batches) == {"delivered_count": 495, "failed_count": 5}
    headers = {"X-Admin-Token": "test-admin-token-0123456789"}
    _, letters = await product.call("GET", "/internal/dlq?page_size=100", headers=headers)
    assert len(letters["data"]) == 5
    assert {letter["reason"] for letter in letters["data"]} == {"HTTP 400 refused"}
    assert all(letter["topic"].endswith(".sms.normal") for letter in letters["data"])
    assert len(ledger.calls) == 500


@pytest.mark.parametrize("killed", [False, True])
async def test_a_recipients_limit_holds_over_two_workers(running, killed):
    product, ledger = running
    limited = {"RECIPIENT_RATE_LIMIT": "40/2s"}
    first, second = await product.worker(0, **limited), await product.worker(1, **limited)
    await product.ready(first)
    batches = await accept(product, messages(200, recipients=1)) + await accept(
        product, messages(200, start=1)
    )
    if killed:
        await until(lambda: len(ledger.accepted) > 300, what="the middle")
        await second.kill()
        await product.worker(1, **limited)
    assert await ended(product, batches) == {"delivered_count": 400}
    assert len({call["to"] for call in ledger.calls}) == 201
    assert (
        most_in_any([call["at"] for call in ledger.calls if call["to"] == "+905000000000"], 2.0)
        <= 80
    )
    counted = await counted_in_windows(product.database_url, "+905000000000")
    assert (
        sum(map(len, counted.values())) >= 200 - 64
    )  # a killed worker leaves no steps of what it had in flight
    for uses in counted.values():
        assert len(uses) == len(set(uses))  # nobody counted twice from the same number
        assert max(uses) < 40


async def test_a_slow_channel_leaves_the_others_at_full_speed(running):
    product, ledger = running
    ledger.slow = lambda call: 4.0 if call["channel"] == "sms" else 0.0
    await product.worker(WORKER_CONCURRENCY="8")
    slow = await accept(product, messages(300))
    fast = await accept(
        product,
        [
            {"channel": "email", "recipient": f"u{i}@example.com", "content": str(i)}
            for i in range(1000)
        ],
    )
    assert await ended(product, fast) == {"delivered_count": 1000}
    _, waiting = await product.call("GET", f"/api/v1/batches/{slow[0]}")
    assert waiting["pending_count"] > 150


async def test_high_overtakes_a_backlog_of_low(running):
    product, ledger = running
    ledger.delay_s = 0.005
    low = await accept(product, messages(8000, priority="low"))
    await product.worker()
    await until(lambda: len(ledger.calls) > 100, what="the backlog to move")
    high = await accept(product, messages(100, start=9000, priority="high"))
    assert await ended(product, high) == {"delivered_count": 100}
    assert len(ledger.accepted) - 100 < 4000
    counts = [
        (await product.call("GET", f"/api/v1/batches/{batch}"))[1]["pending_count"] for batch in low
    ]
    assert sum(counts) > 4000


async def test_a_flood_of_one_tenant_does_not_delay_anothers_first_message(running):
    product, ledger = running
    ledger.delay_s = 0.02
    await product.run("tenants", "create", "other")
    key = (await product.run("keys", "issue", "other")).strip()
    await product.worker(WORKER_CONCURRENCY="8")  # at most 400/s
    flood = await accept(product, messages(4000))
    await until(lambda: len(ledger.calls) > 200, what="the flood to flow")
    started = len(ledger.calls)
    status, other = await product.call(
        "POST",
        "/api/v1/notifications",
        {"channel": "sms", "recipient": "+905099999999", "content": "other"},
        headers={"X-API-Key": key},
    )
    assert status == 202
    await until(lambda: other["id"] in ledger.accepted, what="the other tenant's message")
    assert (
        len(ledger.calls) - started < 2000
    )  # in order of arrival it would have been the four-thousandth
    assert await ended(product, flood) == {"delivered_count": 4000}


async def test_random_failures_use_exactly_the_attempts_of_their_priority_in_full_jitter(
    running,
):
    product, ledger = running
    chance = random.Random(7)
    doomed = {str(i) for i in range(40)}
    ledger.answer = lambda call: (
        (500, {}) if call["content"] in doomed or chance.random() < 0.3 else (202, {})
    )
    await product.worker(BREAKER_FAILURES="1000")
    batches = {
        priority: await accept(product, messages(count, start=start, priority=priority))
        for priority, count, start in (("high", 250, 0), ("normal", 250, 250), ("low", 250, 500))
    }
    ledgered = await ended(product, [b for ids in batches.values() for b in ids], patience_s=150)
    assert sum(ledgered.values()) == 750
    assert ledgered["failed_count"] >= 120
    per_key = defaultdict(list)
    for call in ledger.calls:
        per_key[call["key"]].append(call["at"])
    for priority, retries in (("high", 5), ("normal", 3), ("low", 2)):
        rows = await all_of(product, batches[priority][0])
        for row in rows:
            calls = len(per_key[row["id"]])
            assert row["attempts"] == calls <= 1 + retries
            assert row["status"] == ("delivered" if row["id"] in ledger.accepted else "failed")
            if row["status"] == "failed":
                assert calls == 1 + retries
    await waits_are_full_jitter(product, per_key)


async def all_of(product, batch):
    rows, cursor = [], ""
    while cursor is not None:
        _, page = await product.call(
            "GET",
            f"/api/v1/notifications?batch_id={batch}&page_size=100"
            + (f"&cursor={cursor}" if cursor else ""),
        )
        rows += page["data"]
        cursor = page["next_cursor"]
    return rows


async def waits_are_full_jitter(product, calls):
    """After the n-th call the wait is uniform in 0 … 2ⁿ s, and the next call never comes before it
    is over.
    """
    connection = await asyncpg.connect(product.database_url)
    rows = await connection.fetch(
        "SELECT notification_id::text AS id, number, (step->'inputs'->>'delay_s')::float AS wait"
        " FROM attempts, jsonb_array_elements(steps) AS step WHERE step->>'gate' = 'retry'"
    )
    await connection.close()
    waits = defaultdict(list)
    for row in rows:
        waits[row["number"]].append(row["wait"])
        moments = calls[row["id"]]
        assert moments[row["number"]] - moments[row["number"] - 1] >= row["wait"]
    for number in (1, 2):
        longest, found = 2.0**number, waits[number]
        assert len(found) > 100
        assert 0 <= min(found) <= max(found) <= longest
        # 100 and more of a uniform distribution: their mean is within six standard errors of the
        # middle
        assert abs(sum(found) / len(found) - longest / 2) < 6 * longest / (12 * len(found)) ** 0.5


async def test_an_outage_of_one_provider_goes_to_the_next_and_a_refusal_does_not(
    endpoints, database_url, topics_prefix, tmp_path
):
    async with (
        receiver() as ledger,
        stack(
            database_url=database_url,
            brokers=endpoints.kafka_brokers,
            prefix=topics_prefix,
            folder=tmp_path,
            WEBHOOK_URL=ledger.url,
            PROVIDERS='{"sms": ["webhook", "console"]}',
        ) as product,
    ):
        await product.api()
        await product.worker()
        ledger.answer = lambda call: (400 if call["content"] == "bad" else 503, {})
        bad = await product.ended(await product.create(content="bad"))
        assert (bad["status"], bad["attempts"]) == ("failed", 1)
        first = await product.ended(await product.create(content="hi"))
        assert (first["status"], first["attempts"], first["provider"]) == (
            "delivered",
            2,
            "console",
        )
        _, trace = await product.call("GET", f"/api/v1/notifications/{first['id']}/trace")
        assert [(a["provider"], a["outcome"]) for a in trace["attempts"]] == [
            ("webhook", "temporary"),
            ("console", "delivered"),
        ]
        batch = await product.batch(messages(200))
        assert (await product.batch_ended(batch))["delivered_count"] == 200
        assert len(ledger.calls) < 150  # the open breaker skips straight to the next


async def test_provider_tokens_are_shared_by_all_workers(running):
    product, ledger = running
    limited = {"RATE_LIMIT_PER_CHANNEL": "100"}
    first = await product.worker(0, **limited)
    await product.worker(1, **limited)
    await product.ready(first)
    batches = await accept(product, messages(400))
    assert await ended(product, batches) == {"delivered_count": 400}
    moments = [call["at"] for call in ledger.calls]
    assert (
        most_in_any(moments, 1.0) <= 130
    )  # a hundred by the slots, exactly; but calls arrive when they arrive
    assert most_in_any(moments, 3.0) <= 330
    assert max(moments) - min(moments) < 15


@pytest.mark.parametrize("restored", [False, True])
async def test_a_lost_or_old_table_folder_ends_in_right_counts(running, tmp_path, restored):
    product, ledger = running
    limited = {"RECIPIENT_RATE_LIMIT": lasting(5)}
    worker = await product.worker(**limited)
    await product.ended(await product.create(content="1"))
    folder = tmp_path / "worker-0"
    await worker.kill()
    shutil.copytree(folder, tmp_path / "old")
    worker = await product.worker(**limited)
    for content in "234":
        await product.ended(await product.create(content=content))
    await worker.kill()
    shutil.rmtree(folder)
    if restored:
        shutil.copytree(tmp_path / "old", folder)
    await product.worker(**limited)
    await product.ended(await product.create(content="5"))
    sixth = await product.create(content="6")

    async def waits():
        found = await product.get(sixth)
        return found if found["status"] == "deferred" else None

    found = await until(waits, what="the sixth to be deferred")
    assert "limit" in found["reason"]
    assert len(ledger.calls) == 5
    _, trace = await product.call("GET", f"/api/v1/notifications/{sixth}/trace")
    step = next(s for s in trace["steps"] if s["gate"] == "recipient_limit")
    assert (step["inputs"]["current"], step["inputs"]["previous"]) == (5, 0)


async def test_a_table_folder_from_the_future_or_broken_is_rebuilt(running, tmp_path):
    product, _ = running
    limited = {"RECIPIENT_RATE_LIMIT": lasting(5)}
    worker = await product.worker(**limited)
    for content in "12345":
        await product.ended(await product.create(content=content))
    await worker.kill()
    for table in (tmp_path / "worker-0").glob("**/*.sst"):
        table.write_bytes(b"broken" * 100)
    for manifest in (tmp_path / "worker-0").glob("**/CURRENT"):
        manifest.write_text("nonsense")
    worker = await product.worker(**limited)
    sixth = await product.create(content="6")
    await until(lambda: is_deferred(product, sixth), what="the sixth to be deferred")
    assert "table file is rebuilt" in worker.log.read_text()


async def is_deferred(product, notification_id):
    return (await product.get(notification_id))["status"] == "deferred"


async def test_a_wait_for_the_breaker_ends_at_once_when_the_worker_stops(running):
    product, ledger = running
    ledger.answer = lambda _: (503, {})
    worker = await product.worker(BREAKER_OPEN_S="3000")
    batch = await product.batch(messages(1000))
    await until(lambda: opened(product, worker, 1), what="the breaker to open")
    ledger.answer = lambda _: (202, {})
    await asyncio.wait_for(worker.kill(15), 15)
    await product.worker()
    assert (await product.batch_ended(batch))["delivered_count"] == 1000


async def test_what_expires_while_it_waits_is_expired_without_being_sent(running):
    product, ledger = running
    ledger.answer = lambda _: (503, {"Retry-After": "3600"})
    await product.worker()
    from datetime import UTC, datetime, timedelta

    soon = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    found = await product.ended(await product.create(expires_at=soon))
    assert (found["status"], found["attempts"]) == ("expired", 1)
    assert "expired at" in found["reason"]
    assert len(ledger.calls) == 1


async def test_readiness_names_what_each_role_needs(running):
    product, _ = running
    worker = await product.worker()
    for process, needed in (
        (product.processes[0], {"database", "kafka"}),
        (worker, {"database", "kafka", "partitions"}),
    ):
        async with product.http.get(f"{process.url}/health/ready") as answer:
            assert set((await answer.json())["checks"]) == needed, process.role
