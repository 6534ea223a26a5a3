"""The trace of a notification over the real API and on the command line, made by the real steps of
the protocol.
"""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from uuid_utils.compat import uuid7

from notistream.commands import cli
from notistream.db import deliveries, tenants
from notistream.db.deliveries import Finishing
from notistream.delivery.ports import Parking, Turn
from notistream.delivery.stages import STAGE_NAMES
from notistream.domain.notification import Status
from notistream.domain.outcome import AttemptOutcome, Finish, Step
from notistream.runtime import Runtime
from tests.integration.test_api_contract import NOBODY, serving

pytestmark = pytest.mark.integration

NOTIFICATIONS = "/api/v1/notifications"
SMS = {"channel": "sms", "recipient": "+905000000000", "content": "hi", "priority": "high"}
DUE = datetime.now(UTC) + timedelta(hours=3)
QUIET = Finish(
    status=Status.DEFERRED,
    reason="quiet hours until 08:00",
    delay_s=0.0,
    outcome=AttemptOutcome.NOT_CALLED,
    steps=(
        Step(
            gate="quiet_hours",
            verdict="deferred",
            reason="quiet hours until 08:00",
            inputs={"timezone": "UTC"},
            next_eligible_at=DUE,
        ),
    ),
)
BUSY = Finish(
    status=Status.RETRYING,
    reason="HTTP 503",
    delay_s=0.0,
    outcome=AttemptOutcome.TEMPORARY,
    error="HTTP 503",
    provider="webhook",
    duration_ms=12.0,
    steps=(
        Step(
            gate="quiet_hours",
            verdict="passed",
            reason="outside the quiet hours",
            inputs={"timezone": "UTC"},
        ),
    ),
)
SENT = Finish(
    status=Status.DELIVERED,
    outcome=AttemptOutcome.DELIVERED,
    provider="console",
    provider_message_id="m",
    duration_ms=3.0,
)


class Way:
    """One notification and the steps that take it on."""

    def __init__(self, client, runtime, url):
        self.client, self.db, self.url = client, runtime.database, url
        self.id, self.seq = None, 1

    async def create(self, **fields):
        shown = await (await self.client.post(NOTIFICATIONS, json={**SMS, **fields})).json()
        self.id = shown["id"]
        return shown

    async def attempt(self, end):
        (claimed,) = (
            await deliveries.claim(
                self.db,
                [Turn(self.id, self.seq)],
                owner=0,
                lease=timedelta(seconds=30),
                call_before=1e12,
            )
        ).values()
        await deliveries.finish(self.db, [Finishing(claimed.id, claimed.lease_token, end)])
        return claimed

    async def again(self):
        assert (await deliveries.queue(self.db, [Turn(self.id, self.seq)])).entries
        self.seq += 1

    async def trace(self):
        answer = await self.client.get(f"{NOTIFICATIONS}/{self.id}/trace")
        assert answer.status == 200, await answer.text()
        return await answer.json()

    async def command(self, monkeypatch, *words, status=0):
        """What `notistream trace` prints."""
        monkeypatch.setenv("NOTISTREAM_DATABASE_URL", self.url)
        monkeypatch.setenv("NOTISTREAM_KAFKA_BROKERS", NOBODY)
        result = await asyncio.to_thread(CliRunner().invoke, cli, ["trace", *words])
        assert result.exit_code == status, result.output
        return result.output


@pytest.fixture
async def way(database_url, monkeypatch):
    for name in ("usage", "count"):
        monkeypatch.setattr(Runtime, name, None, raising=False)
    async with serving(database_url) as (client, runtime):
        await tenants.create(runtime.database, "default")
        yield Way(client, runtime, database_url)


async def travelled(way):
    """Parked, stopped by a gate, refused for now, delivered."""
    await way.create()
    await deliveries.park(
        way.db, [Parking(Turn(way.id, 1), 0.0, "breaker", "the breaker of webhook is open")]
    )
    await way.again()
    await way.attempt(QUIET)
    await way.again()
    await way.attempt(BUSY)
    await way.again()
    await way.attempt(SENT)
    return await way.trace()


async def test_the_whole_way_in_order_of_time(way):
    shown = await travelled(way)
    assert [(s["gate"], s["verdict"]) for s in shown["steps"]] == [
        ("accept", "accepted"),
        ("breaker", "deferred"),
        *((gate, "passed") for gate in STAGE_NAMES[:4]),
        ("quiet_hours", "deferred"),
        *((gate, "passed") for gate in STAGE_NAMES),
        *((gate, "passed") for gate in STAGE_NAMES),
    ]
    assert [s["at"] for s in shown["steps"]] == sorted(s["at"] for s in shown["steps"])
    assert datetime.fromisoformat(shown["steps"][6]["next_eligible_at"]) == DUE
    assert [
        (a["number"], a["chain"], a["provider"], a["outcome"], a["error"])
        for a in shown["attempts"]
    ] == [(1, 1, "webhook", "temporary", "HTTP 503"), (2, 1, "console", "delivered", None)]
    assert all(a["started_at"] and a["duration_ms"] for a in shown["attempts"])
    assert (shown["status"], shown["next_eligible_at"], shown["queue"]) == ("delivered", None, None)
    assert [s["reason"] for s in shown["steps"] if s["gate"] == "provider"][
        -1
    ] == "console was free to be called"


async def test_a_waiting_one_says_why_and_until_when(way):
    await way.create()
    await way.attempt(
        Finish(
            status=Status.DEFERRED,
            reason="the rate is used up",
            delay_s=500.0,
            outcome=AttemptOutcome.NOT_CALLED,
            steps=(Step(gate="provider", verdict="deferred", reason="the rate is used up"),),
        )
    )
    shown = await way.trace()
    notification = await (await way.client.get(f"{NOTIFICATIONS}/{way.id}")).json()
    for view in (shown, notification):
        assert (view["status"], view["reason"]) == ("deferred", "the rate is used up")
        assert datetime.fromisoformat(view["next_eligible_at"]) > datetime.now(UTC)
    assert shown["steps"][-1]["next_eligible_at"] == shown["next_eligible_at"]
    assert shown["attempts"] == []


async def test_a_pending_one_says_where_it_is_queued(way):
    created = await way.create()
    shown = await way.trace()
    assert shown["queue"] == {
        "lane": "sms.high",
        "queued_at": created["created_at"],
        "place": "outbox",
        "ahead": 0,
    }


async def test_a_late_success_is_shown_with_its_attempt(way):
    await way.create()
    claimed = await way.attempt(
        Finish(
            status=Status.UNKNOWN,
            reason="outcome_unknown",
            outcome=AttemptOutcome.UNKNOWN,
            error="no answer",
            provider="webhook",
        )
    )
    assert (await deliveries.finish_late(way.db, claimed, SENT)).ids
    (call,) = (await way.trace())["attempts"]
    assert (call["outcome"], call["late_outcome"]) == ("unknown", "delivered")
    assert call["late_at"] > call["started_at"]


async def test_the_timeline_on_the_terminal(way, monkeypatch):
    await travelled(way)
    shown = await way.command(monkeypatch, way.id)
    head, *lines = shown.splitlines()
    assert head == f"{way.id}  sms  high  delivered"
    for words in (
        "breaker         deferred    the breaker of webhook is open",
        "gates           passed      expiry, suppression, preferences, address",
        "quiet_hours     deferred    quiet hours until 08:00",
        "(timezone=UTC)",
        "attempt 1       temporary   webhook, 12 ms, HTTP 503",
        "attempt 2       delivered   console, 3 ms",
    ):
        assert any(words in line for line in lines), shown
    assert max(map(len, lines)) < 200


async def test_scripts_get_what_the_api_answers(way, monkeypatch):
    answered = await travelled(way)
    printed = json.loads(await way.command(monkeypatch, way.id, "--json"))
    assert printed == answered


async def test_a_waiting_one_on_the_terminal(way, monkeypatch):
    await way.create(expires_at="2099-01-01T00:00:00Z")
    shown = await way.command(monkeypatch, way.id)
    assert "in sms.high, to be published to Kafka" in shown
    assert "expires   2099-01-01 00:00:00.000Z" in shown
    await deliveries.park(way.db, [Parking(Turn(way.id, 1), 3000.0, "pause", "paused: sms")])
    assert "reason    paused: sms" in await way.command(monkeypatch, way.id)


async def test_ids_that_lead_nowhere(way, monkeypatch):
    assert "there is no notification" in await way.command(monkeypatch, str(uuid7()), status=1)
    assert "not a valid UUID" in await way.command(monkeypatch, "x", status=2)
