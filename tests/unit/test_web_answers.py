"""Answers: the shapes that clients rely on, and how requests reach the use cases."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from notistream.db import stats, templates
from notistream.db.records import StoredStep, StoredTemplate
from notistream.db.stats import ChannelTotals
from notistream.domain.notification import CHANNELS, OnUnknown, Priority
from notistream.domain.template_text import TemplateText, TemplateVersion
from notistream.recording.trace import timeline
from notistream.sending.acceptance import DuplicateKey
from notistream.web.batches import examples as batch_examples
from notistream.web.batches import views as batch_views
from notistream.web.notifications import examples, trace_views, views
from notistream.web.notifications.bodies import CREATE, draft
from notistream.web.templates import examples as template_examples
from tests.unit.web_fakes import problem_of, serving

NOTIFICATIONS = "/api/v1/notifications"
ONE = f"{NOTIFICATIONS}/{examples.ID}"
NOW = examples.NOW
SEED_FIELDS = {
    "id",
    "batch_id",
    "channel",
    "recipient",
    "recipient_id",
    "content",
    "subject",
    "priority",
    "status",
    "reason",
    "attempts",
    "scheduled_at",
    "sent_at",
    "created_at",
    "updated_at",
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


async def test_create() -> None:
    async with serving() as (client, fakes):
        response = await client.post(
            NOTIFICATIONS, json=examples.SMS, headers={"X-Correlation-ID": "c-1"}
        )
        shown = await response.json()
        assert response.status == 202
        assert response.headers["Location"] == f"{NOTIFICATIONS}/{shown['id']}"
        assert response.headers["Content-Type"] == "application/json"
        assert shown.keys() >= SEED_FIELDS
        assert (shown["status"], shown["attempts"], shown["final"]) == ("pending", 0, False)
        assert shown["created_at"] == "2026-01-31T09:00:00Z"
        assert fakes.notifications.senders[0].tenant_id == examples.TENANT


@pytest.mark.parametrize("example", [examples.SMS, examples.TEMPLATED, examples.STORED_CONTACT])
async def test_examples_of_the_seeds_are_accepted(example: dict[str, Any]) -> None:
    async with serving() as (client, _):
        assert (await client.post(NOTIFICATIONS, json=example)).status == 202


def parsed(**fields: Any) -> Any:
    return draft(CREATE.validate_python({"channel": "email", **fields}))


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        *((n, Priority.HIGH) for n in (1, 2, 3, "high")),
        *((n, Priority.NORMAL) for n in (4, 5, 6, "normal", None)),
        *((n, Priority.LOW) for n in (7, 8, 9, 10, "low")),
    ],
)
def test_priorities(sent: Any, expected: Priority) -> None:
    assert parsed(priority=sent).priority is expected


def test_aliases_reach_the_draft() -> None:
    wanted = parsed(
        recipient_address="a@example.com", payload={"a": 1}, type="digest", template_id="welcome"
    )
    assert (wanted.recipient, wanted.template_variables, wanted.type, wanted.template) == (
        "a@example.com",
        {"a": 1},
        "digest",
        "welcome",
    )
    same = parsed(
        recipient="a@example.com",
        recipient_address="a@example.com",
        payload={},
        template_variables={},
    )
    assert same.recipient == "a@example.com"


def test_nulls_are_as_good_as_nothing() -> None:
    names = (
        "recipient",
        "content",
        "payload",
        "metadata",
        "scheduled_at",
        "on_unknown",
        "idempotency_key",
    )
    assert parsed(**dict.fromkeys(names)) == parsed()
    assert parsed(on_unknown="hold").on_unknown is OnUnknown.HOLD


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("2026-01-31T09:00:00Z", NOW),
        ("2026-01-31t09:00:00z", NOW),
        ("2026-01-31T12:00:00+03:00", NOW),
        ("2026-01-31T09:00:00.123456789Z", NOW.replace(microsecond=123456)),
    ],
)
def test_moments(sent: str, expected: datetime) -> None:
    assert parsed(scheduled_at=sent).scheduled_at == expected
    assert parsed(scheduled_at=sent).scheduled_at.tzinfo is UTC


def test_notification_after_failures() -> None:
    failed = replace(
        examples.PENDING, status="failed", attempts=6, failed_at=NOW, error_message="HTTP 503"
    )
    shown = views.notification(failed)
    assert (shown["attempts"], shown["retry_count"], shown["max_retries"], shown["final"]) == (
        6,
        5,
        5,
        True,
    )


def test_template_is_shown_by_id_or_name() -> None:
    starter = replace(examples.PENDING, template_name="welcome", template_version=1)
    assert views.notification(starter)["template_id"] == "welcome"
    own = replace(starter, template_id=template_examples.TEMPLATE_ID)
    assert views.notification(own)["template_id"] == template_examples.TEMPLATE_ID


def test_key_made_from_the_header_is_not_shown() -> None:
    assert (
        views.notification(replace(examples.PENDING, idempotency_key="\x1fk\x1f0"))[
            "idempotency_key"
        ]
        is None
    )
    assert (
        views.notification(replace(examples.PENDING, idempotency_key="k"))["idempotency_key"] == "k"
    )


def test_batch_counts_add_up() -> None:
    statuses = {
        "pending": 5,
        "processing": 4,
        "retrying": 1,
        "unknown": 1,
        "deferred": 2,
        "scheduled": 1,
        "delivered": 10,
        "failed": 3,
        "cancelled": 2,
        "suppressed": 1,
        "expired": 4,
    }
    shown = batch_views.batch(
        replace(batch_examples.STORED_BATCH, total_count=34, rejected_count=6, statuses=statuses)
    )
    assert shown["pending_count"] == 14
    assert (shown["delivered_count"], shown["failed_count"], shown["cancelled_count"]) == (10, 3, 7)
    assert (shown["suppressed_count"], shown["expired_count"], shown["rejected_count"]) == (1, 4, 6)
    assert shown["total_count"] == sum(
        (
            shown["pending_count"],
            shown["delivered_count"],
            shown["failed_count"],
            shown["cancelled_count"],
        )
    )


def test_trace_merges_all_steps_in_order_of_time() -> None:
    later = [NOW + timedelta(seconds=n) for n in range(4)]
    due = NOW + timedelta(hours=1)
    parked = StoredStep(
        at=later[1],
        gate="lane",
        verdict="defer",
        reason="busy",
        inputs={"n": 8},
        next_eligible_at=None,
    )
    cancelled = replace(parked, at=later[3], gate="cancel")
    attempt = replace(
        examples.ATTEMPT,
        started_at=later[2],
        provider=None,
        steps=[
            {"gate": "expiry", "verdict": "passed", "reason": "r"},
            {
                "gate": "retry",
                "verdict": "retry",
                "reason": "r",
                "next_eligible_at": due.isoformat(),
            },
        ],
    )
    shown = trace_views.trace(
        timeline(replace(examples.PENDING, due_at=due), [parked, cancelled], [attempt])
    )
    assert [s["gate"] for s in shown["steps"]] == ["accept", "lane", "expiry", "retry", "cancel"]
    assert shown["steps"][0]["at"] == examples.PENDING.created_at
    assert shown["steps"][3]["next_eligible_at"] == due
    assert shown["steps"][-1]["next_eligible_at"] == shown["next_eligible_at"] == due
    assert [a["outcome"] for a in shown["attempts"]] == ["delivered"]
    assert shown["attempts"][0].keys() >= {
        "number",
        "provider",
        "started_at",
        "duration_ms",
        "outcome",
        "error",
    }


async def test_batch_answers_in_order_with_problems_in_place() -> None:
    async with serving() as (client, fakes):
        items = [{"channel": "push", "recipient": "t", "content": "x"}, 7, {"channel": "fax"}]
        response = await client.post(f"{NOTIFICATIONS}/batch", json={"notifications": items})
        shown = await response.json()
        assert response.status == 202
        assert response.headers["Location"] == f"/api/v1/batches/{shown['batch']['id']}"
        assert (shown["batch"]["total_count"], shown["batch"]["rejected_count"]) == (1, 2)
        assert [n.get("code") for n in shown["notifications"]] == [
            None,
            "invalid_content",
            "invalid_content",
        ]
        assert all(n["error"] and n["trace_id"] for n in shown["notifications"][1:])
        assert fakes.notifications.atomic is False
        fakes.notifications.fails = DuplicateKey(examples.PENDING)
        repeated = await (
            await client.post(f"{NOTIFICATIONS}/batch", json={"notifications": items[:1]})
        ).json()
        assert repeated["notifications"][0]["id"] == str(examples.ID)
        assert repeated["notifications"][0]["status"] == 409
        await client.post(f"{NOTIFICATIONS}/batch?atomic=true", json={"notifications": items[:1]})
        assert fakes.notifications.atomic is True


async def test_batch_of_a_thousand() -> None:
    async with serving() as (client, _):
        items = [{"channel": "push", "recipient": "t", "content": "x"}] * 1000
        response = await client.post(f"{NOTIFICATIONS}/batch", json={"notifications": items})
        assert len((await response.json())["notifications"]) == 1000


async def test_list_pages() -> None:
    async with serving() as (client, fakes):
        fakes.notifications.page = [replace(examples.DELIVERED, id=examples.ID) for _ in range(3)]
        first = await (await client.get(f"{NOTIFICATIONS}?page_size=2")).json()
        assert (len(first["data"]), first["next_cursor"]) == (2, str(examples.ID))
        last = await (
            await client.get(f"{NOTIFICATIONS}?page_size=3&cursor={first['next_cursor']}")
        ).json()
        assert (len(last["data"]), last["next_cursor"]) == (3, None)
        assert [limit for _, limit in fakes.notifications.filters] == [2, 3]
        assert fakes.notifications.filters[1][0].before == examples.ID
        await client.get(NOTIFICATIONS)
        assert fakes.notifications.filters[2][1] == 20


async def test_list_filters() -> None:
    async with serving() as (client, fakes):
        query = (
            "status=queued,dropped&status=failed&channel=inapp&recipient=%2B90500&recipient_id=u&template=welcome"
            f"&batch_id={batch_examples.BATCH_ID}&date_from=2026-01-31T09:00:00Z&date_to=2026-01-31T12:00:00+03:00"
        )
        assert (await client.get(f"{NOTIFICATIONS}?{query}")).status == 200
        shown, _ = fakes.notifications.filters[0]
        assert shown.statuses == ["pending", "suppressed", "expired", "failed"]
        assert (shown.channel, shown.recipient, shown.recipient_id) == ("in_app", "+90500", "u")
        assert (shown.template, shown.batch_id) == ("welcome", batch_examples.BATCH_ID)
        assert shown.date_from == shown.date_to == NOW


async def test_both_cancels_return_the_whole_notification() -> None:
    async with serving() as (client, _):
        for response in (await client.delete(ONE), await client.patch(f"{ONE}/cancel")):
            assert response.status == 200
            shown = await response.json()
            assert (shown["status"], shown["final"]) == ("cancelled", True)


async def test_trace_and_batch() -> None:
    async with serving() as (client, _):
        trace = await (await client.get(f"{ONE}/trace")).json()
        assert trace["notification_id"] == str(examples.ID)
        batch = await (await client.get(f"/api/v1/batches/{batch_examples.BATCH_ID}")).json()
        assert batch["id"] == str(batch_examples.BATCH_ID)


async def test_templates(monkeypatch: pytest.MonkeyPatch) -> None:
    async def one(_db: object, _tenant_id: UUID, **_given: object) -> list[StoredTemplate]:
        return [template_examples.STORED_TEMPLATE]

    monkeypatch.setattr(templates, "list_page", one)
    async with serving() as (client, fakes):
        response = await client.post("/api/v1/templates", json=template_examples.TEMPLATE)
        shown = await response.json()
        assert response.status == 201
        assert response.headers["Location"] == f"/api/v1/templates/{shown['id']}"
        assert shown.keys() >= {"id", "name", "channel", "body", "version"}
        b_style = {
            "name": "n",
            "channel": "inapp",
            "body_template": "b",
            "subject_template": "s",
            "metadata": {"a": 1},
            "is_active": False,
        }
        await client.post("/api/v1/templates", json=b_style)
        assert fakes.templates.created[1] == {
            "name": "n",
            "channel": "inapp",
            "content": TemplateVersion(TemplateText("s", "b")),
            "metadata": {"a": 1},
            "is_active": False,
        }
        page = await (await client.get("/api/v1/templates?page_size=1&channel=sms&name=n")).json()
        assert (len(page["data"]), page["next_cursor"]) == (1, None)
        assert (
            await client.get(f"/api/v1/templates/{template_examples.TEMPLATE_ID}")
        ).status == 200
        await problem_of(await client.get("/api/v1/templates/welcome"), 404)


async def test_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    async def totals(_db: object, _tenant_id: UUID) -> Mapping[str, ChannelTotals]:
        return {**dict.fromkeys(CHANNELS, ChannelTotals()), "sms": ChannelTotals(3, 1, 30.0)}

    monkeypatch.setattr(stats, "channel_totals", totals)
    async with serving() as (client, _):
        channels = (await (await client.get("/api/v1/metrics")).json())["channels"]
        assert channels.keys() == {"sms", "email", "push", "in_app"}
        assert channels["sms"] == {
            "sent": 3,
            "failed": 1,
            "avg_latency_ms": 10.0,
            "success_rate": 75.0,
        }
        assert channels["push"] == {
            "sent": 0,
            "failed": 0,
            "avg_latency_ms": 0.0,
            "success_rate": 0.0,
        }


async def test_probes() -> None:
    async with serving() as (client, fakes):
        for path in ("/health", "/livez"):
            assert await (await client.get(path)).json() == {"status": "alive"}
            assert (await client.head(path)).status == 200
        healthy = {"status": "ready", "checks": {"database": "healthy", "kafka": "healthy"}}
        assert await (await client.get("/readyz")).json() == healthy
        fakes.readiness.states["kafka"] = "unreachable: nobody answers"
        for path in ("/health/ready", "/readyz"):
            response = await client.get(path)
            assert response.status == 503
            shown = await response.json()
            assert shown == {"status": "not_ready", "checks": fakes.readiness.states}
