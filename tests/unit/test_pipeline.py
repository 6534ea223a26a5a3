"""The pipeline and its gates, with every outcome as a row of a table."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from notistream.delivery.gates import GATES
from notistream.delivery.pipeline import Pipeline
from notistream.domain.notification import Claimed, OnUnknown, Priority, Status
from notistream.domain.outcome import Ambiguous, AttemptOutcome, Permanent, Receipt, Temporary

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
CLAIMED = Claimed(
    id=uuid4(), tenant_id=uuid4(), channel="sms", priority=Priority.NORMAL, recipient="+905000000001",
    recipient_id=None, content="hi", subject=None, template_id=None, template_name=None, template_version=None,
    template_variables={}, expires_at=None, category=None, on_unknown=OnUnknown.RESEND, correlation_id="c",
    traceparent="00-x", chain=1, attempts=1, lease_token=uuid4(), claimed_at=NOW, call_before=100.0,
)


class World:
    """Ledger, sources and sender in memory."""

    def __init__(self, result=None, source=(None, "Hello {{ name }}")):
        self.result = result or Receipt("m1")
        self.text = source
        self.sent = []
        self.ends = []

    async def claim(self, turn):
        raise AssertionError

    async def park(self, parking):
        raise AssertionError

    async def finish(self, claimed, end):
        self.ends.append(end)

    async def source(self, claimed):
        return self.text

    async def send(self, message):
        self.sent.append(message)
        return "webhook", self.result


async def deliver(claimed, world=None, now=0.0):
    world = world or World()
    pipeline = Pipeline(
        ledger=world, sources=world, sender=world, gates=GATES, limits={"sms": 160}.__getitem__,
        jitter=lambda: 0.5, clock=lambda: now)
    await pipeline.deliver(claimed)
    end, = world.ends
    return end, world


@pytest.mark.parametrize(
    ("result", "status", "outcome", "delay_s"),
    [
        (Receipt("m1"), Status.DELIVERED, AttemptOutcome.DELIVERED, None),
        (Temporary("HTTP 503"), Status.RETRYING, AttemptOutcome.TEMPORARY, 1.0),
        (Temporary("HTTP 429", 30.0), Status.RETRYING, AttemptOutcome.TEMPORARY, 30.0),
        (Permanent("HTTP 400"), Status.FAILED, AttemptOutcome.PERMANENT, None),
        (Ambiguous("timed out"), Status.RETRYING, AttemptOutcome.UNKNOWN, 1.0),
    ],
)
async def test_what_the_provider_says_decides(result, status, outcome, delay_s):
    end, world = await deliver(CLAIMED, World(result))
    assert (end.status, end.outcome, end.delay_s, end.provider) == (status, outcome, delay_s, "webhook")
    message, = world.sent
    assert (message.recipient, message.content, message.traceparent) == ("+905000000001", "hi", "00-x")
    assert message.idempotency_key == str(CLAIMED.id)


async def test_the_last_attempt_gives_up_and_hold_waits_for_an_operator():
    end, _ = await deliver(replace(CLAIMED, attempts=4), World(Temporary("HTTP 503")))
    assert end.status is Status.FAILED
    end, _ = await deliver(replace(CLAIMED, on_unknown=OnUnknown.HOLD), World(Ambiguous("timed out")))
    assert end.status is Status.UNKNOWN


async def test_a_replayed_chain_has_another_provider_key():
    _, world = await deliver(replace(CLAIMED, chain=2))
    assert world.sent[0].idempotency_key == f"{CLAIMED.id}:2"


@pytest.mark.parametrize(
    ("fields", "status", "gate"),
    [
        ({"expires_at": NOW}, Status.EXPIRED, "expiry"),
        ({"expires_at": NOW - timedelta(days=1)}, Status.EXPIRED, "expiry"),
        ({"recipient": None, "recipient_id": "u1"}, Status.FAILED, "address"),
    ],
)
async def test_a_gate_stops_it_before_the_provider_and_says_why(fields, status, gate):
    end, world = await deliver(replace(CLAIMED, **fields))
    assert (end.status, end.outcome, end.steps[-1].gate) == (status, AttemptOutcome.NOT_CALLED, gate)
    assert end.reason
    assert world.sent == []


async def test_not_yet_expired_passes():
    end, _ = await deliver(replace(CLAIMED, expires_at=NOW + timedelta(microseconds=1)))
    assert end.status is Status.DELIVERED


async def test_a_lease_that_is_too_old_calls_nobody():
    end, world = await deliver(CLAIMED, now=100.0)
    assert (end.status, end.outcome, end.delay_s) == (Status.DEFERRED, AttemptOutcome.NOT_CALLED, 0)
    assert world.sent == []


TEMPLATED = replace(CLAIMED, template_id=uuid4(), template_version=1, template_variables={"name": "Ada"}, content=None)


async def test_renders_subject_and_body():
    end, world = await deliver(TEMPLATED, World(source=("For {{ name }}", "Hello {{ name }}")))
    assert (world.sent[0].subject, world.sent[0].content) == ("For Ada", "Hello Ada")
    assert (end.subject, end.content) == ("For Ada", "Hello Ada")


@pytest.mark.parametrize(
    ("claimed", "source"),
    [
        (replace(TEMPLATED, template_variables={}), (None, "Hello {{ name }}")),
        (TEMPLATED, None),
        (TEMPLATED, (None, "{{ 'x' * 10**9 }}")),
    ],
)
async def test_rendering_that_fails_uses_content_and_says_so_or_fails(claimed, source):
    end, world = await deliver(replace(claimed, content="fallback"), World(source=source))
    assert (end.status, world.sent[0].content) == (Status.DELIVERED, "fallback")
    assert (end.steps[0].gate, end.steps[0].verdict) == ("render", "fallback")
    end, world = await deliver(claimed, World(source=source))
    assert (end.status, end.outcome) == (Status.FAILED, AttemptOutcome.NOT_CALLED)
    assert end.reason.startswith("rendering failed")
    assert world.sent == []


async def test_the_limit_counts_the_rendered_text():
    end, world = await deliver(replace(TEMPLATED, template_variables={"name": "x" * 160}))
    assert end.status is Status.FAILED
    assert "166 characters" in end.reason
    assert world.sent == []
