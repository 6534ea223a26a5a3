"""What clients of the two seeds' systems rely on, row by row, on a running product: an API, a
worker, a receiver.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from notistream.domain.notification import CHANNELS
from notistream.domain.recipient import device_mark
from tests.receiver import Receiver, receiver
from tests.services import Endpoints, delete_topics, fresh_database, topic_prefix
from tests.stack import Stack, stack

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

V1 = "/api/v1"
NOTIFICATIONS = f"{V1}/notifications"
LATER = "2099-01-01T00:00:00Z"
ADMIN = {"X-Admin-Token": "test-admin-token-0123456789"}
Product = tuple[Stack, Receiver]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(
    endpoints: Endpoints, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Product]:
    prefix = topic_prefix()
    async with (
        receiver() as ledger,
        fresh_database(endpoints) as url,
        stack(
            database_url=url,
            brokers=endpoints.kafka_brokers,
            prefix=prefix,
            folder=tmp_path_factory.mktemp("stack"),
            WEBHOOK_URL=ledger.url,
            RECIPIENT_RATE_LIMIT="0",
            UNSUBSCRIBE_SECRET="compatibility-" * 3,
        ) as product,
    ):
        await product.api()
        await product.worker()
        yield product, ledger
    await delete_topics(endpoints.kafka_brokers, prefix)


@pytest_asyncio.fixture(loop_scope="module")
async def running(shared: Product) -> Product:
    """The shared product, with a receiver that forgot what was before."""
    shared[1].calls.clear()
    shared[1].answer = lambda _call: (202, {})
    return shared


async def accepted(product: Stack, **fields: Any) -> dict[str, Any]:
    return await product.get(await product.create(**fields))


async def test_type_becomes_category_unless_one_is_given(running: Product) -> None:
    """B `type`: known; becomes `category` unless one is given; echoed back."""
    product, _ = running
    for fields, shown in (
        ({"type": "digest"}, ("digest", "digest")),
        ({"type": "digest", "category": "news"}, ("digest", "news")),
    ):
        found = await accepted(product, scheduled_at=LATER, **fields)
        assert (found["type"], found["category"]) == shown


async def test_integer_priorities(running: Product) -> None:
    """B integer `priority` 1-10: 1-3 high, 4-6 normal, 7-10 low."""
    product, _ = running
    found = [
        (await accepted(product, scheduled_at=LATER, priority=n))["priority"] for n in range(1, 11)
    ]
    assert found == ["high"] * 3 + ["normal"] * 3 + ["low"] * 4
    for wrong in (0, 11, "1"):
        status, _ = await product.call(
            "POST",
            NOTIFICATIONS,
            {"channel": "sms", "recipient": "+905000000001", "content": "x", "priority": wrong},
        )
        assert status == 422


async def test_recipient_address_is_recipient(running: Product) -> None:
    """B `recipient_address`, A `recipient`: the same field."""
    product, _ = running
    found = await accepted(
        product, recipient=None, recipient_address="+905000000009", scheduled_at=LATER
    )
    assert found["recipient"] == found["recipient_address"] == "+905000000009"


async def test_inapp_is_in_app(running: Product) -> None:
    """Channel `inapp`: accepted everywhere; `in_app` is returned."""
    product, _ = running
    found = await accepted(
        product, channel="inapp", recipient=None, recipient_id="user-123", scheduled_at=LATER
    )
    assert found["channel"] == "in_app"
    status, page = await product.call("GET", f"{NOTIFICATIONS}?channel=inapp")
    assert (status, {row["channel"] for row in page["data"]}) == (200, {"in_app"})


async def test_page_and_per_page_name_the_cursor(running: Product) -> None:
    """B `page`/`per_page`: 422 naming `cursor`; `page_size` default 20, above 100 is 422."""
    product, _ = running
    await product.batch(
        [{"channel": "sms", "recipient": "+905000000001", "content": "x", "scheduled_at": LATER}]
        * 25
    )
    for query in ("page=2", "per_page=5"):
        status, shown = await product.call("GET", f"{NOTIFICATIONS}?{query}")
        assert (status, "cursor" in shown["detail"]) == (422, True)
    _, page = await product.call("GET", NOTIFICATIONS)
    assert len(page["data"]) == 20
    assert (await product.call("GET", f"{NOTIFICATIONS}?page_size=101"))[0] == 422
    assert (await product.call("GET", f"{NOTIFICATIONS}?page_size=100"))[0] == 200


async def test_queued_and_dropped_are_words_for_statuses(running: Product) -> None:
    """`?status=queued` / `dropped`: pending / suppressed + expired."""
    product, _ = running
    address = "+905000000077"
    await product.call("PUT", f"{V1}/suppressions", {"channel": "sms", "address": address})
    dropped = (await product.ended(await product.create(recipient=address)))["id"]
    status, page = await product.call("GET", f"{NOTIFICATIONS}?status=dropped")
    assert (status, dropped in [row["id"] for row in page["data"]]) == (200, True)
    assert {row["status"] for row in page["data"]} <= {"suppressed", "expired"}
    status, page = await product.call("GET", f"{NOTIFICATIONS}?status=queued")
    assert (status, {row["status"] for row in page["data"]} <= {"pending"}) == (200, True)


async def test_preferences_of_users(running: Product) -> None:
    """B preferences under /users/{id}: aliases of ours; a cap's window is any minutes."""
    product, _ = running
    flat = {
        "channel": "email",
        "enabled": True,
        "quiet_hours_start": "22:00",
        "quiet_hours_end": "08:00",
        "frequency_cap": 3,
        "frequency_window_minutes": 77,
        "timezone": "Europe/Istanbul",
    }
    assert (await product.call("PUT", f"{V1}/users/bea/preferences", flat))[0] == 200
    _, ours = await product.call("GET", f"{V1}/recipients/bea/preferences")
    assert ours["channels"]["email"] == {
        "enabled": True,
        "quiet_hours": {"start": "22:00", "end": "08:00"},
        "frequency_cap": {"count": 3, "per": 77},
    }
    _, theirs = await product.call("GET", f"{V1}/users/bea/preferences")
    assert {"user_id": "bea", **flat} in theirs["data"]
    assert (await product.call("DELETE", f"{V1}/users/bea/preferences/email"))[0] == 204


async def test_device_tokens(running: Product) -> None:
    """B device tokens `{user_id, token, platform}`: 201.

    `DELETE /api/v1/device-tokens/{token}` 204.
    """
    product, _ = running
    status, shown = await product.call(
        "POST", f"{V1}/device-tokens", {"user_id": "bea", "token": "fcm:1", "platform": "android"}
    )
    assert (status, shown["user_id"], shown["platform"]) == (201, "bea", "android")
    assert (await product.call("GET", f"{V1}/recipients/bea"))[1]["push_tokens"] == ["fcm:1"]
    assert (await product.call("DELETE", f"{V1}/device-tokens/fcm:1"))[0] == 204


@pytest.mark.parametrize(("method", "suffix"), [("DELETE", ""), ("PATCH", "/cancel")])
async def test_cancel_returns_the_whole_notification(
    running: Product, method: str, suffix: str
) -> None:
    """B `DELETE /api/v1/notifications/{id}`: cancel; A `PATCH .../cancel` too.

    Both return the whole notification.
    """
    product, _ = running
    before = await accepted(product, scheduled_at=LATER)
    status, shown = await product.call(method, f"{NOTIFICATIONS}/{before['id']}{suffix}")
    assert (status, shown["status"], shown["final"]) == (200, "cancelled", True)
    assert shown.keys() == before.keys()
    assert (await product.call(method, f"{NOTIFICATIONS}/{before['id']}{suffix}"))[0] == 409


async def test_unknown_fields_are_named(running: Product) -> None:
    """Unknown fields: 422 naming them."""
    product, _ = running
    status, shown = await product.call(
        "POST",
        NOTIFICATIONS,
        {
            "channel": "sms",
            "recipient": "+905000000001",
            "content": "x",
            "colour": "red",
            "shape": "round",
        },
    )
    assert (status, [e["pointer"] for e in shown["errors"]]) == (422, ["/colour", "/shape"])


async def test_unreadable_is_400_and_invalid_is_422(running: Product) -> None:
    """Unreadable JSON / invalid content: 400 / 422."""
    product, _ = running
    async with product.http.post(
        f"{product.base}{NOTIFICATIONS}", data="{", headers={"Content-Type": "application/json"}
    ) as answer:
        assert (answer.status, (await answer.json(content_type=None))["code"]) == (
            400,
            "unreadable_json",
        )
    status, shown = await product.call(
        "POST", NOTIFICATIONS, {"channel": "sms", "recipient": "0500", "content": "x"}
    )
    assert (status, shown["errors"][0]["pointer"]) == (422, "/recipient")


async def test_notification_fields(running: Product) -> None:
    """Notification: also tenant_id ... final; `attempts` is an integer.

    After rendering `content` is rendered.
    """
    product, _ = running
    found = await product.ended(
        await product.create(
            channel="email",
            recipient="a@example.com",
            content=None,
            template_id="welcome",
            payload={"name": "Zoe"},
        )
    )
    assert found.keys() >= {
        "tenant_id",
        "template_id",
        "template_variables",
        "payload",
        "recipient_address",
        "type",
        "retry_count",
        "max_retries",
        "error_message",
        "failed_at",
        "provider_message_id",
        "final",
    }
    assert (found["status"], found["final"], found["attempts"], found["retry_count"]) == (
        "delivered",
        True,
        1,
        0,
    )
    assert "Zoe" in found["content"]
    assert found["payload"] == found["template_variables"] == {"name": "Zoe"}
    assert found["provider_message_id"]


async def test_batch_counts(running: Product) -> None:
    """pending + delivered + failed + cancelled = total.

    Suppressed and expired count as cancelled and are shown apart; items refused at the door are in
    `rejected_count`, outside the total.
    """
    product, ledger = running
    ledger.answer = lambda call: (400, {}) if call["content"] == "refuse" else (202, {})
    await product.call("PUT", f"{V1}/suppressions", {"channel": "sms", "address": "+905000000078"})
    good = {"channel": "sms", "recipient": "+905000000001", "content": "ok"}
    status, shown = await product.call(
        "POST",
        f"{NOTIFICATIONS}/batch",
        {
            "notifications": [
                good,
                {**good, "content": "refuse"},
                {**good, "recipient": "+905000000078"},
                {**good, "recipient": "0500"},
            ]
        },
    )
    assert status == 202
    later = await product.batch([{**good, "scheduled_at": LATER}])
    found = await product.batch_ended(shown["batch"]["id"])
    names = (
        "total_count",
        "pending_count",
        "delivered_count",
        "failed_count",
        "cancelled_count",
        "suppressed_count",
        "expired_count",
        "rejected_count",
    )
    assert [found[name] for name in names] == [3, 0, 1, 1, 1, 1, 0, 1]
    _, waiting = await product.call("GET", f"{V1}/batches/{later}")
    assert [waiting[name] for name in names] == [1, 1, 0, 0, 0, 0, 0, 0]


async def test_a_used_body_key_answers_409_with_the_notification(running: Product) -> None:
    """409: problem+json with `id` at top level, the whole notification under `notification`,
    `Location` set.
    """
    product, _ = running
    body = {
        "channel": "sms",
        "recipient": "+905000000001",
        "content": "x",
        "idempotency_key": "k",
        "scheduled_at": LATER,
    }
    _, first = await product.call("POST", NOTIFICATIONS, body)
    async with product.http.post(f"{product.base}{NOTIFICATIONS}", json=body) as answer:
        shown = await answer.json(content_type=None)
        assert (answer.status, answer.content_type) == (409, "application/problem+json")
        assert answer.headers["Location"] == f"{NOTIFICATIONS}/{first['id']}"
    assert shown["id"] == first["id"]
    assert shown["notification"] == first


async def test_several_live_push_tokens(running: Product) -> None:
    """Every one is tried, each result recorded; delivered if one accepted.

    Only transient ones are retried.
    """
    product, ledger = running
    await product.call(
        "PUT", f"{V1}/recipients/many", {"push_tokens": ["t-ok", "t-busy", "t-refused", "t-listed"]}
    )
    await product.call("PUT", f"{V1}/suppressions", {"channel": "push", "address": "t-listed"})
    answers = {"t-ok": 202, "t-busy": 503, "t-refused": 400}
    ledger.answer = lambda call: (answers[call["to"]], {})
    wanted = {"channel": "push", "recipient": None, "recipient_id": "many"}
    done = await product.ended(await product.create(**wanted))
    assert (done["status"], done["attempts"]) == ("delivered", 1)
    assert sorted(call["to"] for call in ledger.calls) == ["t-busy", "t-ok", "t-refused"]
    _, trace = await product.call("GET", f"{NOTIFICATIONS}/{done['id']}/trace")
    assert [
        (s["inputs"]["device"], s["verdict"]) for s in trace["steps"] if s["gate"] == "device"
    ] == [
        (device_mark("t-ok"), "delivered"),
        (device_mark("t-busy"), "temporary"),
        (device_mark("t-refused"), "permanent"),
    ]
    assert not any(token in str(trace) for token in answers)

    ledger.calls.clear()
    answers["t-ok"] = 400
    ledger.answer = lambda call: (
        202 if call["to"] == "t-busy" and len(ledger.calls) > 3 else answers[call["to"]],
        {},
    )
    done = await product.ended(await product.create(**wanted))
    assert (done["status"], done["attempts"]) == ("delivered", 2)
    assert [call["to"] for call in ledger.calls][3:] == ["t-busy"]
    assert len({call["key"] for call in ledger.calls if call["to"] == "t-busy"}) == 1
    assert len({call["key"] for call in ledger.calls}) == 3

    answers["t-busy"] = 400
    ledger.answer = lambda call: (answers[call["to"]], {})
    done = await product.ended(await product.create(**wanted))
    assert (done["status"], done["attempts"]) == ("failed", 1)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_any_2xx_of_the_webhook_is_delivered(running: Product, status: int) -> None:
    """Webhook provider: any 2xx is delivered, whatever the body; `messageId` is kept when there."""
    product, ledger = running
    ledger.answer = lambda _call: (status, {})
    found = await product.ended(await product.create())
    assert found["status"] == "delivered"
    assert (found["provider_message_id"] is not None) is (status != 204)


async def test_dead_letters_are_replayed_and_deleted(running: Product) -> None:
    """DLQ: replay includes `{"status":"replayed"}`; delete 204.

    B `X-Tenant-ID`, `unreplayed=true`: filters.
    """
    product, ledger = running
    ledger.answer = lambda _call: (400, {})
    failed = await product.ended(await product.create())
    headers = {**ADMIN, "X-Tenant-ID": failed["tenant_id"]}
    _, page = await product.call(
        "GET", "/internal/dlq?unreplayed=true&page_size=100", headers=headers
    )
    entry = next(e for e in page["data"] if e["notification_id"] == failed["id"])
    assert entry.keys() >= {
        "id",
        "notification_id",
        "tenant_id",
        "channel",
        "reason",
        "attempts",
        "topic",
        "partition",
        "offset",
        "created_at",
    }
    ledger.answer = lambda _call: (202, {})
    status, shown = await product.call("POST", f"/internal/dlq/{entry['id']}/replay", headers=ADMIN)
    assert (status, shown["status"]) == (200, "replayed")
    assert (await product.ended(failed["id"]))["status"] == "delivered"
    _, page = await product.call(
        "GET", "/internal/dlq?unreplayed=true&page_size=100", headers=headers
    )
    assert entry["id"] not in [e["id"] for e in page["data"]]
    assert (await product.call("DELETE", f"/internal/dlq/{entry['id']}", headers=ADMIN))[0] == 204


async def test_health(running: Product) -> None:
    """The shapes of /health and /health/ready that clients of B read."""
    product, _ = running
    assert await product.call("GET", "/health") == (200, {"status": "alive"})
    status, shown = await product.call("GET", "/health/ready")
    assert (status, shown["status"]) == (200, "ready")
    assert {"database": "healthy", "kafka": "healthy"}.items() <= shown["checks"].items()


async def test_metrics(running: Product) -> None:
    """Every channel present, zeros included; `success_rate` 0-100; fresh."""
    product, _ = running
    _, before = await product.call("GET", f"{V1}/metrics")
    await product.ended(await product.create())
    _, after = await product.call("GET", f"{V1}/metrics")
    assert after["channels"].keys() == set(CHANNELS)
    assert after["channels"]["sms"]["sent"] == before["channels"]["sms"]["sent"] + 1
    for figures in after["channels"].values():
        assert figures.keys() == {"sent", "failed", "avg_latency_ms", "success_rate"}
        assert 0 <= figures["success_rate"] <= 100


async def test_unsubscribe_by_the_link_in_a_message(running: Product) -> None:
    """The link of one message keeps the next of its category away, and no other."""
    product, ledger = running
    status, _ = await product.call(
        "POST",
        f"{V1}/templates",
        {"name": "digest", "channel": "email", "body": "News. Enough? {{ unsubscribe_url }}"},
    )
    assert status == 201
    wanted = {
        "channel": "email",
        "recipient": "reader@example.com",
        "template_id": "digest",
        "category": "news",
    }
    assert (await product.ended(await product.create(**wanted, content=None)))[
        "status"
    ] == "delivered"
    link = ledger.calls[-1]["content"].split()[-1]
    path = link[link.index("/unsubscribe/") :]
    async with product.http.get(f"{product.base}{path}") as page:
        assert (page.status, "<button" in await page.text()) == (200, True)
    assert (await product.ended(await product.create(**wanted, content=None)))[
        "status"
    ] == "delivered"
    async with product.http.post(
        f"{product.base}{path}", data={"List-Unsubscribe": "One-Click"}
    ) as done:
        assert done.status == 200
    assert (await product.ended(await product.create(**wanted, content=None)))[
        "status"
    ] == "suppressed"
    other = await product.ended(
        await product.create(**{**wanted, "category": "security"}, content=None)
    )
    assert (other["status"], other["content"]) == ("delivered", "News. Enough? ")
    _, listed = await product.call("GET", f"{V1}/suppressions?address=reader@example.com")
    assert [(e["category"], e["reason"]) for e in listed["data"]] == [("news", "unsubscribe")]


async def test_erasing_keeps_what_waits_from_being_sent(running: Product) -> None:
    """Scheduled, then erased: cancelled with a reason, never sent, still counted."""
    product, ledger = running
    await product.call("PUT", f"{V1}/recipients/gone", {"phone": "+905000000066"})
    waiting = await product.create(recipient=None, recipient_id="gone", scheduled_at=LATER)
    sent = await product.ended(await product.create(recipient="+905000000066"))
    status, shown = await product.call("DELETE", f"{V1}/recipients/gone")
    assert (status, shown) == (200, {"notifications": 2, "cancelled": 1})
    found = await product.get(waiting)
    assert (found["status"], found["reason"], found["content"]) == (
        "cancelled",
        "the recipient was erased",
        None,
    )
    assert (await product.get(sent["id"]))["status"] == "delivered"
    assert len(ledger.calls) == 1
