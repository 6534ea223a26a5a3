"""Previews over the real API and database: every gate is asked, and nothing is sent, stored or
counted.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from notistream.access.authentication import new_key
from notistream.db import tenants
from notistream.db.slots import SlotLock
from notistream.delivery.stages import STAGE_NAMES
from notistream.runtime import Runtime
from tests.integration.test_api_contract import serving
from tests.unit.web_fakes import pointers, problem_of

pytestmark = pytest.mark.integration

PREVIEW = "/api/v1/notifications/preview"
SMS = {"channel": "sms", "recipient": "+905000000000", "content": "hi"}
STORED = {"channel": "sms", "recipient_id": "u", "content": "hi"}
HOUR = timedelta(hours=1)
PROVIDERS = {
    "webhook_url": "http://127.0.0.1:9/",
    "providers": {"sms": ["webhook", "console"]},
    "recipient_rate_limit": "60/minute",
}


class Api:
    """A client, and the database behind it."""

    def __init__(self, client, runtime, url, tenant_id):
        self.client, self.db, self.url, self.tenant_id = client, runtime.database, url, tenant_id

    async def preview(self, **body):
        answer = await self.client.post(PREVIEW, json=body)
        assert answer.status == 200, await answer.text()
        return await answer.json()

    async def wishes(self, channels=None, categories=None, *, timezone="UTC"):
        """The stored recipient `u`, and what it wants."""
        await self.db.fetch(
            "INSERT INTO recipients (tenant_id, id, email, phone, timezone) "
            "VALUES ($1, 'u', 'u@example.com', '+905000000001', $2)",
            self.tenant_id,
            timezone,
        )
        await self.db.fetch(
            "INSERT INTO preferences (tenant_id, recipient_id, channels, categories) VALUES ($1,"
            " 'u', $2, $3)",
            self.tenant_id,
            channels or {},
            categories or {},
        )

    async def contents(self):
        """How many rows each table has."""
        tables = await self.db.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return {
            t["tablename"]: (await self.db.fetch(f"SELECT count(*) FROM {t['tablename']}"))[0][0]
            for t in tables
        }


@asynccontextmanager
async def served(url, **settings):
    async with serving(url, **{**PROVIDERS, **settings}) as (client, runtime):
        tenant, _ = await tenants.create(runtime.database, "default")
        yield Api(client, runtime, url, tenant.id)


@pytest.fixture(autouse=True)
def _an_api_has_no_tables(monkeypatch):
    for name in ("usage", "count"):
        monkeypatch.setattr(Runtime, name, None, raising=False)


@pytest.fixture
async def api(database_url) -> AsyncIterator[Api]:
    async with served(database_url) as found:
        yield found


def verdicts(shown):
    return {step["gate"]: step["verdict"] for step in shown["steps"]}


def step(shown, gate):
    return next(s for s in shown["steps"] if s["gate"] == gate)


async def test_nothing_in_the_way(api):
    before = await api.contents()
    shown = await api.preview(**SMS, priority="high", idempotency_key="k")
    assert (shown["would"], shown["provider"], shown["content"]) == ("send", "webhook", "hi")
    assert tuple(s["gate"] for s in shown["steps"]) == STAGE_NAMES
    assert verdicts(shown) == {
        **dict.fromkeys(STAGE_NAMES, "passed"),
        "recipient_limit": "judged at delivery",
    }
    assert step(shown, "recipient_limit")["inputs"] == {"limit": "60/60s"}
    assert all(s["reason"] for s in shown["steps"])
    assert shown["next_eligible_at"] is None
    assert await api.contents() == before
    assert (
        await api.client.post("/api/v1/notifications", json={**SMS, "idempotency_key": "k"})
    ).status == 202


async def test_what_was_counted_or_stored_by_a_preview_would_show(api):
    """The other test compares row counts: here is what a create does to them."""
    before = await api.contents()
    assert (await api.client.post("/api/v1/notifications", json=SMS)).status == 202
    assert await api.contents() != before


@pytest.mark.parametrize(
    ("channels", "categories", "category", "gate", "word"),
    [
        ({"sms": {"enabled": False}}, {}, None, "preferences", "turned sms off"),
        ({}, {"marketing": False}, "marketing", "preferences", "marketing"),
        ({"email": {"enabled": False}}, {"marketing": False}, "bills", None, "nothing"),
    ],
)
async def test_what_the_recipient_wants(api, channels, categories, category, gate, word):
    await api.wishes(channels, categories)
    shown = await api.preview(**STORED, category=category)
    assert shown["would"] == ("suppress" if gate else "send")
    assert word in shown["reason"]
    assert {g for g, verdict in verdicts(shown).items() if verdict == "suppressed"} == (
        {gate} if gate else set()
    )
    assert shown["content"] == "hi"


@pytest.mark.parametrize(
    ("body", "channel", "address"),
    [
        (SMS, "sms", "+905000000000"),
        (STORED, "sms", "+905000000001"),
        (
            {"channel": "email", "recipient": "U@Example.com", "content": "x"},
            "email",
            "u@example.com",
        ),
        ({"channel": "email", "recipient_id": "u", "content": "x"}, "email", "u@example.com"),
    ],
)
async def test_suppressed_addresses(api, body, channel, address):
    await api.wishes()
    assert (await api.preview(**body))["would"] == "send"
    await api.db.fetch(
        "INSERT INTO suppressions (tenant_id, channel, address, reason) VALUES ($1, $2, $3,"
        " 'bounce')",
        api.tenant_id,
        channel,
        address,
    )
    shown = await api.preview(**body)
    assert (shown["would"], verdicts(shown)["suppression"]) == ("suppress", "suppressed")
    assert "bounce" in shown["reason"]


async def test_a_recipient_without_an_address_fails_and_the_later_gates_are_asked_too(api):
    shown = await api.preview(channel="push", recipient_id="nobody", content="x")
    assert (shown["would"], verdicts(shown)["address"]) == ("fail", "failed")
    assert verdicts(shown)["provider"] == "passed"
    in_app = await api.preview(channel="in_app", recipient_id="nobody", content="x")
    assert (in_app["would"], in_app["provider"]) == ("send", "in_app")


@pytest.mark.parametrize(
    ("priority", "category", "would", "verdict"),
    [
        ("high", "critical", "send", "bypassed"),
        ("normal", "critical", "defer", "deferred"),
        ("high", "bills", "defer", "deferred"),
    ],
)
async def test_quiet_hours(api, priority, category, would, verdict):
    now = datetime.now(UTC)
    await api.wishes(
        {"sms": {"quiet_hours": {"start": f"{now - HOUR:%H:%M}", "end": f"{now + HOUR:%H:%M}"}}}
    )
    shown = await api.preview(**STORED, priority=priority, category=category)
    assert (shown["would"], verdicts(shown)["quiet_hours"]) == (would, verdict)
    ends = (now + HOUR).replace(second=0, microsecond=0)
    assert shown["next_eligible_at"] == (
        None if would == "send" else ends.isoformat().replace("+00:00", "Z")
    )


async def test_a_scheduled_one_waits_and_the_gates_are_asked_as_of_then(api):
    at = (datetime.now(UTC) + timedelta(days=2)).replace(
        hour=12, minute=30, second=0, microsecond=0
    )
    await api.wishes({"sms": {"quiet_hours": {"start": "12:00", "end": "13:00"}}}, timezone="UTC")
    shown = await api.preview(**STORED, scheduled_at=at.isoformat())
    assert (shown["would"], shown["next_eligible_at"]) == (
        "wait",
        at.isoformat().replace("+00:00", "Z"),
    )
    assert "quiet hours until 13:00" in shown["reason"]
    assert verdicts(shown)["quiet_hours"] == "deferred"
    later = await api.preview(**STORED, scheduled_at=(at + HOUR).isoformat())
    assert (later["would"], verdicts(later)["quiet_hours"]) == ("wait", "passed")
    past = await api.preview(**SMS, scheduled_at="2020-01-01T00:00:00Z")
    assert past["would"] == "send"


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
async def test_the_end_of_the_calendar_is_an_answer(api, zone):
    await api.wishes({"sms": {"quiet_hours": {"start": "00:00", "end": "23:59"}}}, timezone=zone)
    body = {**STORED, "scheduled_at": "9999-12-31T22:00:00Z"}
    answer = await api.client.post(PREVIEW, json=body)
    if zone == "UTC":  # its quiet hours end before the calendar does
        assert (answer.status, (await answer.json())["would"]) == (200, "wait")
    else:
        assert pointers(await problem_of(answer, 422)) == ["/scheduled_at"]


async def test_a_cap_is_looked_at_and_not_used(api):
    await api.wishes({"sms": {"frequency_cap": {"count": 2, "per": "hour"}}})
    now = datetime.now(UTC)

    async def use(at, tenant_id=api.tenant_id, channel="sms"):
        await api.db.fetch(
            "INSERT INTO cap_uses (tenant_id, recipient_id, channel, notification_id, at) "
            "VALUES ($1, 'u', $2, gen_random_uuid(), $3)",
            tenant_id,
            channel,
            at,
        )

    other, _ = await tenants.create(api.db, "other")
    await use(now - 2 * HOUR)
    await use(now - HOUR / 2, other.id)
    await use(now - HOUR / 2, channel="email")
    await use(oldest := now - HOUR / 2)
    for _ in range(3):
        shown = await api.preview(**STORED)
        assert (shown["would"], step(shown, "frequency_cap")["inputs"]["used"]) == ("send", 1)
    await use(now - HOUR / 4)
    shown = await api.preview(**STORED)
    assert (shown["would"], step(shown, "frequency_cap")["inputs"]["used"]) == ("defer", 2)
    assert datetime.fromisoformat(shown["next_eligible_at"]) == oldest + HOUR
    then = await api.preview(**STORED, scheduled_at=(oldest + 1.1 * HOUR).isoformat())
    assert (then["would"], verdicts(then)["frequency_cap"]) == ("wait", "passed")


async def test_pauses_lead_to_the_next_provider_or_hold_back(api):
    async def pause(provider):
        await api.db.fetch("INSERT INTO pauses (channel, provider) VALUES ('sms', $1)", provider)

    await pause("webhook")
    shown = await api.preview(**SMS)
    assert (shown["would"], shown["provider"]) == ("send", "console")
    assert step(shown, "provider")["inputs"] == {
        "provider": "console",
        "skipped": {"webhook": "paused: sms/webhook"},
    }
    await pause("console")
    shown = await api.preview(**SMS)
    assert (shown["would"], shown["provider"], shown["next_eligible_at"]) == ("defer", None, None)
    await api.db.fetch("DELETE FROM pauses")
    await pause("")
    shown = await api.preview(**SMS)
    assert (shown["would"], shown["reason"]) == ("defer", "paused: sms")
    assert (await api.preview(channel="email", recipient="a@example.com", content="x"))[
        "would"
    ] == "send"


async def test_a_breaker_counts_while_every_live_worker_has_it_open(database_url):
    async with served(database_url, providers={"sms": ["console"]}) as api:
        first, second = SlotLock(database_url, 0), SlotLock(database_url, 1)

        async def opened(slot, minutes):
            await api.db.fetch(
                "INSERT INTO breakers (slot, channel, provider, state, reason, probe_at) "
                "VALUES ($1, 'sms', 'console', 'open', 'HTTP 503', now() + $2::interval)",
                slot,
                timedelta(minutes=minutes),
            )

        await opened(0, 5)
        await opened(7, 5)
        assert (await api.preview(**SMS))["would"] == "send"  # what dead workers said last
        assert await first.take()
        shown = await api.preview(**SMS)
        assert (shown["would"], shown["provider"]) == ("defer", None)
        assert "HTTP 503" in shown["reason"]
        probe_at = datetime.fromisoformat(shown["next_eligible_at"])
        assert HOUR / 15 < probe_at - datetime.now(UTC) <= HOUR / 12
        assert await second.take()
        assert (await api.preview(**SMS))["would"] == "send"
        await opened(1, 2)
        shown = await api.preview(**SMS)
        assert datetime.fromisoformat(shown["next_eligible_at"]) < probe_at
        then = await api.preview(**SMS, scheduled_at=(probe_at + HOUR).isoformat())
        assert verdicts(then)["provider"] == "passed"
        for slot in (first, second):
            await slot.release()


async def test_templates_are_rendered(api):
    created = await api.client.post(
        "/api/v1/templates",
        json={
            "name": "hello",
            "channel": "email",
            "subject": "For {{ Name }}",
            "body": "Hi {{ Name }}",
        },
    )
    assert created.status == 201
    body = {"channel": "email", "recipient": "a@example.com", "template_id": "hello"}
    shown = await api.preview(**body, payload={"Name": "Ada"})
    assert (shown["would"], shown["subject"], shown["content"]) == ("send", "For Ada", "Hi Ada")
    fallback = await api.preview(**body, content="plain")
    assert (fallback["content"], verdicts(fallback)["render"]) == ("plain", "fallback")


BAD = {
    "missing variable": ({"template_id": "welcome"}, None),
    "unknown template": ({"content": None, "template_id": "nope"}, "/template_id"),
    "wrong phone": ({"recipient": "0500"}, "/recipient"),
    "unknown field": ({"to": 1}, "/to"),
    "too long": ({"content": "x" * 161}, "/content"),
    "unknown channel": ({"channel": "fax"}, "/channel"),
    "expired": ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
}


@pytest.mark.parametrize(("fields", "pointer"), BAD.values(), ids=BAD)
async def test_what_a_create_refuses_a_preview_refuses(api, fields, pointer):
    body = {
        k: v
        for k, v in {**SMS, **fields}.items()
        if v is not None and not (k == "content" and pointer is None)
    }
    found = await problem_of(await api.client.post(PREVIEW, json=body), 422)
    refused = await problem_of(await api.client.post("/api/v1/notifications", json=body), 422)
    assert pointers(found) == pointers(refused)
    assert pointer is None or pointers(found) == [pointer]


async def test_wishes_of_another_tenants_recipient_are_not_ours(database_url):
    async with served(database_url, auth="on") as api:
        other, _ = await tenants.create(api.db, "other")
        key, prefix, hashed = new_key("live")
        await tenants.issue_key(
            api.db, other.id, tenants.NewKey(name="k", kind="live", prefix=prefix, hash=hashed)
        )
        await api.wishes({"sms": {"enabled": False}})
        assert (await api.client.post(PREVIEW, json=STORED)).status == 401
        shown = await (
            await api.client.post(PREVIEW, json=STORED, headers={"X-API-Key": key})
        ).json()
        assert (shown["would"], verdicts(shown)["preferences"], verdicts(shown)["address"]) == (
            "fail",
            "passed",
            "failed",
        )


async def test_previews_at_once_are_independent(api):
    connection = await asyncpg.connect(api.url)
    try:
        answers = await asyncio.gather(
            *(api.preview(**{**SMS, "content": str(n)}) for n in range(30))
        )
        assert [a["content"] for a in answers] == [str(n) for n in range(30)]
        assert await connection.fetchval("SELECT count(*) FROM cap_uses") == 0
    finally:
        await connection.close()
