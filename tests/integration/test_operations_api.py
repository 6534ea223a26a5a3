"""The routes and commands of the operator's and the sender's hand, over the real use cases and a
real PostgreSQL.
"""

import asyncio
import json

import pytest
from click.testing import CliRunner

from notistream.access.authentication import new_key
from notistream.commands import cli
from notistream.db import deliveries, tenants
from notistream.db.deliveries import Finishing
from notistream.delivery.ports import Parking, Turn
from notistream.domain.notification import Status
from notistream.domain.outcome import AttemptOutcome, Finish
from notistream.runtime import Runtime
from tests.integration.test_api_contract import NOBODY, serving
from tests.unit.web_fakes import pointers, problem_of

pytestmark = pytest.mark.integration

V1 = "/api/v1"
NOTIFICATIONS = f"{V1}/notifications"
SMS = {"channel": "sms", "recipient": "+905000000000", "content": "hi"}
TOKEN = "test-admin-token-0123456789"
ADMIN = {"X-Admin-Token": TOKEN}
PAUSES = "/internal/pauses"
NOWHERE = "01970000-0000-7000-8000-0000000000aa"
HELD = Finish(
    status=Status.UNKNOWN,
    reason="outcome_unknown",
    outcome=AttemptOutcome.UNKNOWN,
    error="no answer",
    provider="console",
)
FAILED = Finish(
    status=Status.FAILED, reason="HTTP 400", outcome=AttemptOutcome.PERMANENT, error="HTTP 400"
)


class Api:
    """A client that must be answered as it expects."""

    def __init__(self, client, runtime):
        self.client, self.db = client, runtime.database

    async def call(self, method, path, body=None, *, status=200, **options):
        answer = await self.client.request(
            method, path, **({} if body is None else {"json": body}), **options
        )
        assert answer.status == status, await answer.text()
        return await answer.json()

    async def refused(self, method, path, body=None, *, status, **options):
        answer = await self.client.request(
            method, path, **({} if body is None else {"json": body}), **options
        )
        return await problem_of(answer, status)

    async def create(self, **fields):
        return (await self.call("POST", NOTIFICATIONS, {**SMS, **fields}, status=202))["id"]

    async def ended(self, end):
        """A notification that was claimed, and ended so."""
        notification_id = await self.create()
        (claimed,) = (
            await deliveries.claim(
                self.db,
                [Turn(notification_id, 1)],
                owner=0,
                lease=deliveries.TIMER_GRACE,
                call_before=1e12,
            )
        ).values()
        await deliveries.finish(self.db, [Finishing(claimed.id, claimed.lease_token, end)])
        return notification_id

    async def log(self):
        return [
            tuple(row)
            for row in await self.db.fetch(
                "SELECT actor, action, target FROM audit_log ORDER BY id"
            )
        ]


@pytest.fixture(autouse=True)
def _an_api_has_no_tables(monkeypatch):
    for name in ("usage", "count"):
        monkeypatch.setattr(Runtime, name, None, raising=False)


@pytest.fixture
async def api(database_url):
    async with serving(database_url, admin_token=TOKEN) as (client, runtime):
        await tenants.create(runtime.database, "default")
        yield Api(client, runtime)


async def test_recall_answers_how_many_and_who_did_it_is_noted(api):
    for n in range(3):
        await api.create(category="news" if n else "bills", type="x")
    shown = await api.call(
        "POST", f"{NOTIFICATIONS}/recall", {"category": "news", "channel": "sms"}
    )
    assert shown == {"recalled": 2, "too_late": 0}
    shown = await api.call(
        "POST", f"{NOTIFICATIONS}/recall", {"category": "news", "channel": "inapp"}
    )
    assert shown == {"recalled": 0, "too_late": 0}
    (tenant,) = await tenants.list_all(api.db)
    assert await api.log() == [
        (str(tenant.id), "notifications.recall", "category=news channel=sms")
    ]


@pytest.mark.parametrize("send", [{}, {"json": {}}])
async def test_a_batch_is_cancelled(api, send):
    made = await api.call(
        "POST", f"{NOTIFICATIONS}/batch", {"notifications": [SMS] * 3}, status=202
    )
    path = f"{V1}/batches/{made['batch']['id']}/cancel"
    shown = await api.call("POST", path, **send)
    assert (shown["cancelled_count"], shown["pending_count"], shown["total_count"]) == (3, 0, 3)
    assert pointers(await api.refused("POST", path, {"force": True}, status=422)) == ["/force"]


async def test_reschedule_and_its_time_are_shown(api):
    path = f"{NOTIFICATIONS}/{await api.create(expires_at='2099-01-03T00:00:00Z')}"
    shown = await api.call("PATCH", path, {"scheduled_at": "2099-01-01T12:00:00+03:00"})
    assert (shown["status"], shown["reason"]) == ("scheduled", "rescheduled by the sender")
    assert shown["scheduled_at"] == shown["next_eligible_at"] == "2099-01-01T09:00:00Z"
    assert shown["expires_at"] == "2099-01-03T00:00:00Z"
    again = await api.call("PATCH", path, {"scheduled_at": None, "expires_at": None})
    assert (again["scheduled_at"], again["expires_at"]) == (None, None)
    assert await api.call("GET", path) == again
    trace = await api.call("GET", f"{path}/trace")
    assert [s["verdict"] for s in trace["steps"]] == ["accepted", "scheduled", "scheduled"]
    assert [s["next_eligible_at"] for s in trace["steps"]][:2] == [None, "2099-01-01T09:00:00Z"]
    await api.call("DELETE", path)
    problem = await api.refused("PATCH", path, {"scheduled_at": None}, status=409)
    assert (problem["code"], "cancelled" in problem["detail"]) == ("not_reschedulable", True)


@pytest.mark.parametrize(
    ("outcome", "status"), [("delivered", "delivered"), ("failed", "failed"), ("resend", "pending")]
)
async def test_an_unknown_outcome_is_resolved_once(api, outcome, status):
    path = f"{NOTIFICATIONS}/{await api.ended(HELD)}"
    shown = await api.call("POST", f"{path}/resolve", {"outcome": outcome})
    assert (shown["status"], shown["attempts"]) == (status, 1)
    assert await api.call("GET", path) == shown
    assert (await api.refused("POST", f"{path}/resolve", {"outcome": outcome}, status=409))[
        "code"
    ] == "not_resolvable"


async def test_resend_once_per_key(api):
    notification_id = await api.ended(FAILED)
    path = f"{NOTIFICATIONS}/{notification_id}/resend"
    key = {"Idempotency-Key": "k"}
    answer = await api.client.post(path, headers=key)
    shown = await answer.json()
    assert (answer.status, shown["status"], answer.headers["Location"]) == (
        202,
        "pending",
        f"{NOTIFICATIONS}/{notification_id}",
    )
    again = await api.client.post(path, headers=key)
    assert (again.status, again.headers["Idempotency-Replayed"], await again.json()) == (
        202,
        "true",
        shown,
    )
    assert (await api.refused("POST", path, status=409))["code"] == "not_resendable"
    other = f"{NOTIFICATIONS}/{await api.ended(FAILED)}/resend"
    assert (await api.refused("POST", other, headers=key, status=422))[
        "code"
    ] == "idempotency_key_reused"
    # Where the first answer was lost, the replay id made from the key still knows it.
    await api.db.fetch("DELETE FROM idempotent_requests")
    await api.db.fetch(
        "UPDATE notifications SET status = 'delivered' WHERE id = $1", notification_id
    )
    assert (await api.call("POST", path, status=202, headers=key))["status"] == "delivered"
    trace = await api.call("GET", f"{NOTIFICATIONS}/{notification_id}/trace")
    assert [s["gate"] for s in trace["steps"]].count("replay") == 1


BAD = {
    "everything": ("POST", "notifications/recall", {}, ["/template"]),
    "only a channel": ("POST", "notifications/recall", {"channel": "sms"}, ["/template"]),
    "no channel of ours": (
        "POST",
        "notifications/recall",
        {"template": "t", "channel": "fax"},
        ["/channel"],
    ),
    "an empty name": ("POST", "notifications/recall", {"category": ""}, ["/category"]),
    "NUL": ("POST", "notifications/recall", {"category": "a\0"}, ["/category"]),
    "a lone surrogate": ("POST", "notifications/recall", b'{"category": "\\ud800"}', None),
    "no batch id": ("POST", "notifications/recall", {"batch_id": "x"}, ["/batch_id"]),
    "unknown field": ("POST", "notifications/recall", {"template": "t", "all": True}, ["/all"]),
    "no time": ("PATCH", f"notifications/{NOWHERE}", {}, ["/scheduled_at"]),
    "no zone": (
        "PATCH",
        f"notifications/{NOWHERE}",
        {"scheduled_at": "2030-01-01T00:00:00"},
        ["/scheduled_at"],
    ),
    "a number": ("PATCH", f"notifications/{NOWHERE}", {"scheduled_at": 5}, ["/scheduled_at"]),
    "another outcome": (
        "POST",
        f"notifications/{NOWHERE}/resolve",
        {"outcome": "lost"},
        ["/outcome"],
    ),
    "no outcome": ("POST", f"notifications/{NOWHERE}/resolve", {}, ["/outcome"]),
    "a list": ("POST", f"notifications/{NOWHERE}/resolve", [], [""]),
    "a reason": ("POST", f"notifications/{NOWHERE}/resend", {"reason": "x"}, ["/reason"]),
    "preview": ("POST", "notifications/preview", {"channel": "sms"}, ["/recipient", "/content"]),
}


@pytest.mark.parametrize(("method", "path", "body", "places"), BAD.values(), ids=BAD)
async def test_bad_input_names_its_place(api, method, path, body, places):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = await api.client.request(
        method, f"{V1}/{path}", data=data, headers={"Content-Type": "application/json"}
    )
    problem = await problem_of(answer, answer.status)
    assert answer.status == (422 if places is not None else 400)
    assert places is None or pointers(problem) == places
    assert await api.log() == []


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", f"notifications/{NOWHERE}", {"scheduled_at": None}),
        ("POST", f"notifications/{NOWHERE}/resolve", {"outcome": "resend"}),
        ("POST", f"notifications/{NOWHERE}/resend", None),
        ("POST", f"batches/{NOWHERE}/cancel", None),
        ("POST", "batches/x/cancel", None),
        ("POST", "notifications/x/resend", None),
    ],
)
async def test_what_is_not_there(api, method, path, body):
    await api.refused(method, f"{V1}/{path}", body, status=404)
    assert await api.log() == []


async def test_expiry_before_its_new_time(api):
    path = f"{NOTIFICATIONS}/{await api.create(expires_at='2099-01-01T00:00:00Z')}"
    problem = await api.refused("PATCH", path, {"scheduled_at": "2100-01-01T00:00:00Z"}, status=422)
    assert pointers(problem) == ["/scheduled_at"]
    body = {"scheduled_at": "2100-01-01T00:00:00Z", "expires_at": "2099-06-01T00:00:00Z"}
    assert pointers(await api.refused("PATCH", path, body, status=422)) == ["/expires_at"]
    assert (await api.call("GET", path))["status"] == "pending"


async def test_another_tenants_are_not_there(database_url):
    async with serving(database_url, auth="on", admin_token=TOKEN) as (client, runtime):
        api, keys = Api(client, runtime), []
        for name in ("a", "b"):
            tenant, _ = await tenants.create(runtime.database, name)
            key, prefix, hashed = new_key("live")
            await tenants.issue_key(
                runtime.database,
                tenant.id,
                tenants.NewKey(name="k", kind="live", prefix=prefix, hash=hashed),
            )
            keys.append({"X-API-Key": key})
        mine, other = keys
        made = await api.call(
            "POST",
            f"{NOTIFICATIONS}/batch",
            {"notifications": [{**SMS, "category": "news"}] * 2},
            status=202,
            headers=mine,
        )
        notification, batch = made["notifications"][0]["id"], made["batch"]["id"]
        for method, path, body in (
            ("PATCH", f"{NOTIFICATIONS}/{notification}", {"scheduled_at": None}),
            ("POST", f"{NOTIFICATIONS}/{notification}/resolve", {"outcome": "resend"}),
            ("POST", f"{NOTIFICATIONS}/{notification}/resend", None),
            ("POST", f"{V1}/batches/{batch}/cancel", None),
        ):
            await api.refused(method, path, body, status=404, headers=other)
            await api.refused(method, path, body, status=401)
        for meant in ({"category": "news"}, {"batch_id": batch}):
            shown = await api.call("POST", f"{NOTIFICATIONS}/recall", meant, headers=other)
            assert shown == {"recalled": 0, "too_late": 0}
        assert (await api.call("GET", f"{V1}/batches/{batch}", headers=mine))["pending_count"] == 2
        assert await api.log() == []


# Pauses


async def test_pausing_and_resuming(api):
    paused = await api.call(
        "PUT", f"{PAUSES}/sms/console", {"reason": "the vendor repairs"}, headers=ADMIN
    )
    assert (paused["channel"], paused["provider"], paused["reason"]) == (
        "sms",
        "console",
        "the vendor repairs",
    )
    assert (await api.call("PUT", f"{PAUSES}/inapp", headers=ADMIN))["channel"] == "in_app"
    shown = await api.call("GET", PAUSES, headers=ADMIN)
    assert [(p["channel"], p["provider"]) for p in shown["data"]] == [
        ("in_app", None),
        ("sms", "console"),
    ]
    notification_id = await api.create()
    await deliveries.park(
        api.db, [Parking(Turn(notification_id, 1), 3000.0, "pause", "paused: sms/console")]
    )
    for released in (1, 0):
        shown = await api.call("DELETE", f"{PAUSES}/sms/console", headers=ADMIN)
        assert shown == {"channel": "sms", "provider": "console", "released": released}
    assert [p["channel"] for p in (await api.call("GET", PAUSES, headers=ADMIN))["data"]] == [
        "in_app"
    ]
    assert [entry[:2] for entry in await api.log()] == [
        ("admin", "pause"),
        ("admin", "pause"),
        ("admin", "resume"),
        ("admin", "resume"),
    ]


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize(
    ("path", "word"), [("fax", "sms, email"), ("sms/twilio", "console"), ("fax/console", "sms")]
)
async def test_unknown_names(api, method, path, word):
    problem = await api.refused(method, f"{PAUSES}/{path}", status=404, headers=ADMIN)
    assert word in problem["detail"]


async def test_pauses_need_the_admin_token_and_a_good_body(api):
    for headers in ({}, {"X-Admin-Token": "wrong"}):
        for method, path in (
            ("GET", PAUSES),
            ("PUT", f"{PAUSES}/sms"),
            ("DELETE", f"{PAUSES}/sms"),
        ):
            await api.refused(method, path, status=401, headers=headers)
    for body, place in (
        ({"reason": 5}, "/reason"),
        ({"why": "x"}, "/why"),
        ({"reason": "x" * 501}, "/reason"),
        ({"reason": "a\0"}, "/reason"),
    ):
        assert pointers(
            await api.refused("PUT", f"{PAUSES}/sms", body, status=422, headers=ADMIN)
        ) == [place]
    assert await api.log() == []


@pytest.fixture
def run(database_url, monkeypatch, tmp_path):
    """A command in an empty folder, on the database of this test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NOTISTREAM_DATABASE_URL", database_url)
    monkeypatch.setenv("NOTISTREAM_KAFKA_BROKERS", NOBODY)

    async def invoke(*words, status=0):
        result = await asyncio.to_thread(CliRunner().invoke, cli, words)
        assert result.exit_code == status, result.output
        return result.output

    return invoke


async def test_pausing_from_the_command_line(run, api):
    assert "notistream resume sms console" in await run("pause", "sms", "console", "--reason", "x")
    assert json.loads(await run("pause", "inapp", "--json"))["channel"] == "in_app"
    notification_id = await api.create()
    await deliveries.park(
        api.db, [Parking(Turn(notification_id, 1), 3000.0, "pause", "paused: sms/console")]
    )
    assert "due now: 1" in await run("resume", "sms", "console")
    assert json.loads(await run("resume", "inapp", "--json")) == {
        "channel": "in_app",
        "provider": None,
        "released": 0,
    }
    assert "sms, email, push, in_app" in await run("pause", "fax", status=2)
    assert "console" in await run("resume", "sms", "twilio", status=2)
    assert await api.log() == [
        ("cli", "pause", "sms/console"),
        ("cli", "pause", "in_app"),
        ("cli", "resume", "sms/console"),
        ("cli", "resume", "in_app"),
    ]
