"""The promises that every later part stands on, with real processes: never lost, never twice, never
stuck.
"""

import asyncio
import signal
import sys
from collections import Counter

import aiohttp
import pytest
from aiokafka import AIOKafkaProducer

from notistream.db import migrate
from tests.receiver import receiver
from tests.services import dedicated_services
from tests.stack import ROOT, messages, stack, until

pytestmark = pytest.mark.integration


async def test_the_seeds_calls_reach_the_receiver(running):
    product, ledger = running
    await product.worker()
    plain = await product.create(
        recipient="+90500000000", content="Your code is 1234", priority="high"
    )
    _, template = await product.call(
        "POST",
        "/api/v1/templates",
        {
            "name": "welcome_email",
            "channel": "email",
            "body": "Hello {{.Name}}, welcome! Your code: {{.Code}}.",
        },
    )
    rendered = await product.create(
        channel="email",
        recipient="mehmet@example.com",
        content="fallback",
        priority="normal",
        template_id=template["id"],
        template_variables={"Name": "Mehmet", "Code": "42"},
    )
    stored = await product.call(
        "POST",
        "/api/v1/notifications",
        {
            "recipient_id": "user-123",
            "channel": "email",
            "template_id": "welcome",
            "payload": {"name": "Alice"},
        },
    )
    assert stored[0] == 202
    for notification_id in (plain, rendered, stored[1]["id"]):
        assert (await product.ended(notification_id))["status"] == "delivered"
    contents = {call["content"] for call in ledger.calls}
    assert {"Your code is 1234", "Hello Mehmet, welcome! Your code: 42."} <= contents
    assert next(c for c in ledger.calls if c["to"] == "user-123@example.com")["content"].startswith(
        "Hello Alice"
    )
    _, trace = await product.call("GET", f"/api/v1/notifications/{rendered}/trace")
    assert [(a["number"], a["provider"], a["outcome"]) for a in trace["attempts"]] == [
        (1, "webhook", "delivered")
    ]


async def test_a_batch_of_a_thousand_counts_to_a_thousand(running):
    product, ledger = running
    await product.worker()
    batch = await product.batch(messages(1000))
    found = await product.batch_ended(batch)
    assert (found["total_count"], found["delivered_count"]) == (1000, 1000)
    assert (len(ledger.accepted), ledger.duplicates) == (1000, 0)
    _, metrics = await product.call("GET", "/api/v1/metrics")
    assert metrics["channels"]["sms"]["sent"] == 1000


async def test_one_recipients_messages_arrive_in_order(running):
    product, ledger = running
    await product.worker()
    for start in range(0, 40, 4):  # fewer at once than a lane holds for one recipient
        batch = await product.batch(
            [
                {"channel": "sms", "recipient": f"+90500000{r:04}", "content": str(i)}
                for i in range(start, start + 4)
                for r in range(5)
            ]
        )
        await product.batch_ended(batch)
    for contents in ledger.by_recipient().values():
        assert contents == [str(i) for i in range(40)]


async def test_transient_failures_come_back_and_refusals_become_dead_letters(running):
    product, ledger = running
    seen = Counter()

    def answer(call):
        seen[call["key"]] += 1
        if call["content"] == "refuse":
            return 400, {}
        if call["content"] == "down":
            return 503, {}
        return (500, {}) if seen[call["key"]] == 1 else (202, {})

    ledger.answer = answer
    await product.worker()
    flaky, refused = await product.create(content="flaky"), await product.create(content="refuse")
    down = await product.create(content="down", priority="low")
    recovered = await product.ended(flaky)
    assert (recovered["status"], recovered["attempts"], recovered["retry_count"]) == (
        "delivered",
        2,
        1,
    )
    found = await product.ended(refused)
    assert (found["status"], found["attempts"]) == ("failed", 1)
    assert "400" in found["reason"]
    found = await product.ended(down)
    assert (found["status"], found["attempts"]) == ("failed", 3)
    _, trace = await product.call("GET", f"/api/v1/notifications/{down}/trace")
    assert [a["error"] for a in trace["attempts"]] == ["HTTP 503 service unavailable"] * 3
    assert seen[down] == 3


async def test_a_worker_killed_in_the_middle_loses_nothing_and_counts_what_it_may_have_sent_twice(
    running,
):
    product, ledger = running
    ledger.delay_s = 0.02
    first = await product.worker()
    batches = [await product.batch(messages(1000)) for _ in range(3)]
    await until(lambda: len(ledger.accepted) > 500, what="the first deliveries")
    await first.kill()
    second = await product.worker()
    for batch in batches:
        assert (await product.batch_ended(batch))["delivered_count"] == 1000
    assert len(ledger.accepted) == 3000
    counted = await product.metric(second, "notistream_possible_duplicates_total")
    assert ledger.duplicates <= counted <= 64


async def test_a_clean_stop_in_the_middle_sends_nothing_twice(running):
    product, ledger = running
    ledger.delay_s = 0.02
    worker = await product.worker()
    batches = [await product.batch(messages(1000)) for _ in range(2)]
    for stop in (300, 700, 1200):
        await until(lambda stop=stop: len(ledger.accepted) > stop, what=f"{stop} deliveries")
        await worker.kill(signal.SIGTERM)
        worker = await product.worker()
    for batch in batches:
        assert (await product.batch_ended(batch))["delivered_count"] == 1000
    assert (len(ledger.accepted), ledger.duplicates) == (2000, 0)


async def test_two_workers_share_the_partitions_and_one_may_leave(running):
    product, ledger = running
    ledger.delay_s = 0.01
    first, second = await product.worker(0), await product.worker(1)
    await product.ready(first)  # the second's arrival moved its partitions
    await product.batch_ended(await product.batch(messages(1000)))
    finished = [
        await product.metric(p, "notistream_finished_total", status="delivered")
        for p in (first, second)
    ]
    assert sum(finished) == 1000
    assert min(finished) > 0
    batch = await product.batch(messages(1000))
    await until(lambda: len(ledger.accepted) > 1200, what="the second batch to begin")
    await first.kill(signal.SIGTERM)
    assert (await product.batch_ended(batch))["delivered_count"] == 1000
    assert (len(ledger.accepted), ledger.duplicates) == (2000, 0)


async def test_a_slot_belongs_to_one_process(running):
    product, _ = running
    await product.worker(0)
    twin = await product.worker(0, wait=False)
    assert await asyncio.wait_for(twin.child.wait(), 60) != 0
    assert "slot 0 is in use" in twin.tail()
    assert "Traceback" not in twin.tail()


async def test_poison_is_buried_and_its_neighbours_are_delivered(running, endpoints, topics_prefix):
    product, _ = running
    await product.worker()
    producer = AIOKafkaProducer(bootstrap_servers=endpoints.kafka_brokers)
    await producer.start()
    poison = [
        b"{bad",
        b"null",
        b'{"v":9}',
        b"\xff" * 1000,
        None,
        b'{"v":1,"id":"x","seq":1}',
        b"x" * 900_000,
        b'{"v":1,"id":"01a20450-6039-768f-8b5f-5bb84f5117b6","seq":3000000000}',
    ]
    try:
        ids = []
        for value in poison:
            await producer.send_and_wait(
                f"{topics_prefix}.sms.normal",
                value,
                key=b"k\xff",
                headers=[("binary", b"\x00\xff"), ("n\x00ul", b"x")],
            )
            ids.append(await product.create(content="good"))
    finally:
        await producer.stop()
    for notification_id in ids:
        assert (await product.ended(notification_id))["status"] == "delivered"

    async def buried():
        import asyncpg

        connection = await asyncpg.connect(product.database_url)
        try:
            return await connection.fetch(
                'SELECT value, key, reason FROM dead_letters ORDER BY "offset"'
            )
        finally:
            await connection.close()

    rows = await until(lambda: _enough(buried, len(poison)), what="the poison to be buried")
    assert Counter(row["value"] for row in rows) == Counter(poison)
    assert {row["key"] for row in rows} == {b"k\xff"}


async def _enough(fetch, count):
    rows = await fetch()
    return rows if len(rows) >= count else None


async def test_a_hundred_posts_with_one_key_create_one_notification(running):
    product, _ = running
    body = {"channel": "push", "recipient": "t", "content": "once", "idempotency_key": "k1"}
    answers = await asyncio.gather(
        *(product.call("POST", "/api/v1/notifications", body) for _ in range(100))
    )
    assert Counter(status for status, _ in answers) == {202: 1, 409: 99}
    assert len({answer["id"] for _, answer in answers}) == 1
    _, page = await product.call("GET", "/api/v1/notifications")
    assert len(page["data"]) == 1


async def test_without_kafka_posts_are_accepted_and_delivered_when_it_is_back(tmp_path):
    with dedicated_services() as services:
        await migrate.up(services.endpoints.database_url)
        async with (
            receiver() as ledger,
            stack(
                database_url=services.endpoints.database_url,
                brokers=services.endpoints.kafka_brokers,
                prefix="t",
                folder=tmp_path,
                WEBHOOK_URL=ledger.url,
            ) as product,
        ):
            api, worker = await product.api(), await product.worker()
            await asyncio.to_thread(services.kafka.kill)
            ids = [await product.create(content=str(i)) for i in range(20)]
            await until(lambda: product._status(api, 503), what="the API to say that Kafka is away")
            _, ready = await product.call("GET", "/health/ready")
            assert ready["checks"]["database"] == "healthy"
            assert ready["checks"]["kafka"] != "healthy"
            early = await product.launch("api")  # starts, answers and accepts without Kafka
            await until(lambda: product._answers(early), what="an API to start without Kafka")
            await asyncio.to_thread(services.kafka.start)
            for notification_id in ids:
                assert (await product.ended(notification_id, patience_s=90))[
                    "status"
                ] == "delivered"
            assert ledger.duplicates == 0
            await product.ready(worker)


async def test_without_postgresql_nothing_is_half_accepted_and_all_recovers(tmp_path):
    with dedicated_services() as services:
        await migrate.up(services.endpoints.database_url)
        async with (
            receiver() as ledger,
            stack(
                database_url=services.endpoints.database_url,
                brokers=services.endpoints.kafka_brokers,
                prefix="t",
                folder=tmp_path,
                WEBHOOK_URL=ledger.url,
            ) as product,
        ):
            api, _ = await product.api(), await product.worker()
            ledger.delay_s = 0.02
            batch = await product.batch(messages(1000))
            await until(lambda: len(ledger.accepted) > 100, what="the first deliveries")
            await asyncio.to_thread(services.postgres.stop, "immediate")
            async with product.http.post(
                f"{api.url}/api/v1/notifications", json=messages(1)[0]
            ) as answer:
                assert answer.status == 503
                assert answer.content_type == "application/problem+json"
                assert int(answer.headers["Retry-After"]) >= 1
            await until(lambda: product._status(api, 503), what="the API to be unready")
            await asyncio.to_thread(services.postgres.start)
            found = await product.batch_ended(batch, patience_s=90)
            assert found["delivered_count"] == 1000
            assert len(ledger.accepted) == 1000
            _, page = await product.call("GET", "/api/v1/notifications?page_size=1")
            assert page["data"][0]["batch_id"] == batch


async def test_the_plain_faust_command_line_still_works(running):
    product, _ = running
    process = await product.launch("worker")
    await process.kill()
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "faust",
        "-A",
        "notistream.main",
        "worker",
        "--web-port",
        str(process.port),
        env=process.env,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        notification_id = await product.create(content="through faust")
        assert (await product.ended(notification_id))["status"] == "delivered"
    finally:
        child.send_signal(signal.SIGTERM)
        await asyncio.wait_for(child.wait(), 30)


async def test_the_walkthrough_holds_word_for_word(running):
    product, _ = running
    await product.worker()
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "tests/e2e/walkthrough.py",
        cwd=ROOT,
        env={"E2E_URL": product.base},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await child.communicate()
    assert child.returncode == 0, out.decode()[-3000:]


async def test_a_client_that_goes_away_does_not_disturb_the_others(running):
    product, _ = running

    async def impatient():
        try:
            async with product.http.post(
                f"{product.base}/api/v1/notifications",
                json=messages(1)[0],
                timeout=aiohttp.ClientTimeout(total=0.001),
            ):
                pass
        except TimeoutError:
            pass

    patient = (product.create(recipient=f"+90500000{i:04}") for i in range(50))
    await asyncio.gather(*(impatient() for _ in range(50)), *patient)
