"""The pipeline of one claimed notification, with every outcome as a row of a table."""

from dataclasses import replace
from datetime import time, timedelta
from uuid import uuid4

import pytest

from notistream.delivery.checks import DATABASE_DELAY_S
from notistream.delivery.pipeline import DEFECT_DELAY_S
from notistream.delivery.ports import Blocked, CapUse
from notistream.domain.notification import OnUnknown, Priority, Status
from notistream.domain.outcome import Accepted, Ambiguous, AttemptOutcome, Permanent, Temporary
from notistream.domain.preference import ChannelPreference, FrequencyCap, Preferences, QuietHours
from notistream.domain.rate_limit import Rate
from notistream.errors import DatabaseUnavailable
from tests.core.delivery_fakes import CLAIMED, NOW, ORIGIN, FakePermit, World

DELIVERED, TEMPORARY, UNKNOWN = (
    AttemptOutcome.DELIVERED,
    AttemptOutcome.TEMPORARY,
    AttemptOutcome.UNKNOWN,
)
NOT_CALLED, PERMANENT = AttemptOutcome.NOT_CALLED, AttemptOutcome.PERMANENT
OUTAGE, TIMEOUT = Temporary("HTTP 503"), Ambiguous("no answer: timed out")
TEMPLATED = replace(
    CLAIMED,
    template_id=uuid4(),
    template_version=1,
    template_variables={"name": "Ada"},
    content=None,
)


@pytest.mark.parametrize(
    ("result", "status", "outcome", "delay_s", "reason"),
    [
        (Accepted("m1"), Status.DELIVERED, DELIVERED, None, None),
        (OUTAGE, Status.RETRYING, TEMPORARY, 1.0, "HTTP 503"),
        (Temporary("HTTP 429", 30.0, throttled=True), Status.RETRYING, TEMPORARY, 30.0, "HTTP 429"),
        (Permanent("HTTP 400"), Status.FAILED, PERMANENT, None, "HTTP 400"),
        (TIMEOUT, Status.RETRYING, UNKNOWN, 1.0, "outcome_unknown: no answer: timed out"),
    ],
)
async def test_what_the_provider_says_decides(result, status, outcome, delay_s, reason):
    world, permit = World(result), FakePermit()
    end = await world.deliver(CLAIMED, permit)
    assert (end.status, end.outcome, end.delay_s, end.reason) == (status, outcome, delay_s, reason)
    assert (end.provider, end.content) == ("webhook", "hi")
    assert end.provider_message_id == (result.message_id if isinstance(result, Accepted) else None)
    ((provider, message),) = world.sent
    assert (provider, message.recipient, message.content) == ("webhook", "+905000000001", "hi")
    assert (message.idempotency_key, message.traceparent) == (str(CLAIMED.id), "00-x")
    assert permit.reports == [result]
    assert world.counted == [("sms", status, ORIGIN)]


async def test_the_last_attempt_gives_up_and_hold_waits_for_an_operator():
    end = await World(OUTAGE).deliver(replace(CLAIMED, attempts=4), FakePermit("a", "b"))
    assert (end.status, end.reason, end.next_provider) == (
        Status.FAILED,
        "HTTP 503 (after 4 attempts)",
        None,
    )
    end = await World(TIMEOUT).deliver(replace(CLAIMED, on_unknown=OnUnknown.HOLD))
    assert (end.status, end.delay_s) == (Status.UNKNOWN, None)


async def test_a_replayed_chain_has_another_provider_key():
    world = World()
    await world.deliver(replace(CLAIMED, chain=2))
    assert world.sent[0][1].idempotency_key == f"{CLAIMED.id}:2"


@pytest.mark.parametrize(
    ("result", "preferred", "called", "following", "delay_s", "reason"),
    [
        (OUTAGE, None, "a", "b", 0.0, "HTTP 503; b is next"),
        (OUTAGE, "b", "b", "c", 0.0, "HTTP 503; c is next"),
        (OUTAGE, "c", "c", None, 1.0, "HTTP 503"),  # the last one: backoff, and the first again
        (Temporary("HTTP 429", 30.0, throttled=True), None, "a", "b", 0.0, "HTTP 429; b is next"),
        (Temporary("HTTP 429", 30.0, throttled=True), "c", "c", None, 30.0, "HTTP 429"),
        (
            TIMEOUT,
            None,
            "a",
            "a",
            1.0,
            "outcome_unknown: no answer: timed out",
        ),  # where its key is known
        (TIMEOUT, "b", "b", "b", 1.0, "outcome_unknown: no answer: timed out"),
        (Permanent("HTTP 400"), None, "a", None, None, "HTTP 400"),
        (Accepted("m1"), "b", "b", None, None, None),
    ],
)
async def test_failover_and_the_trace_says_so(
    result, preferred, called, following, delay_s, reason
):
    world, permit = World(result), FakePermit("a", "b", "c")
    end = await world.deliver(replace(CLAIMED, next_provider=preferred), permit)
    assert permit.preferred == [preferred]
    assert [provider for provider, _ in world.sent] == [called] == [end.provider]
    assert (end.next_provider, end.delay_s, end.reason) == (following, delay_s, reason)
    retries = [(step.gate, step.reason, step.inputs["delay_s"]) for step in end.steps]
    assert retries == ([("retry", reason, delay_s)] if end.status is Status.RETRYING else [])


def wishes(**fields):
    return Preferences({"sms": ChannelPreference(**fields)})


CAPPED = replace(CLAIMED, recipient_id="u1", preferences=wishes(frequency_cap=FrequencyCap(5, 60)))
NIGHT = wishes(quiet_hours=QuietHours(time(10), time(18, 30)))
OVER = CapUse(allowed=False, used=5, free_at=NOW + timedelta(seconds=40))


@pytest.mark.parametrize(
    ("claimed", "status", "gate", "delay_s"),
    [
        (replace(CLAIMED, expires_at=NOW), Status.EXPIRED, "expiry", None),
        (replace(CLAIMED, suppressed="bounce"), Status.SUPPRESSED, "suppression", None),
        (replace(CLAIMED, erased=True), Status.SUPPRESSED, "suppression", None),
        (
            replace(CLAIMED, preferences=wishes(enabled=False)),
            Status.SUPPRESSED,
            "preferences",
            None,
        ),
        (
            replace(CLAIMED, category="news", preferences=Preferences({}, {"news": False})),
            Status.SUPPRESSED,
            "preferences",
            None,
        ),
        (replace(CLAIMED, recipient=None, recipient_id="u1"), Status.FAILED, "address", None),
        (replace(CLAIMED, preferences=NIGHT), Status.DEFERRED, "quiet_hours", 6.5 * 3600),
        (replace(CLAIMED, content="x" * 161), Status.FAILED, "render", None),
        (CAPPED, Status.DEFERRED, "frequency_cap", 40),
        (replace(CLAIMED, call_before=0.0), Status.DEFERRED, "provider", 0),
    ],
)
async def test_a_gate_stops_it_before_the_provider_and_says_why(claimed, status, gate, delay_s):
    world, permit = World(cap=OVER), FakePermit("a", "b")
    end = await world.deliver(replace(claimed, next_provider="b"), permit)
    assert (end.status, end.outcome, end.delay_s) == (status, NOT_CALLED, delay_s)
    assert (end.steps[-1].gate, end.steps[-1].verdict) == (gate, status.value)
    assert end.reason == end.steps[-1].reason != ""
    assert (world.sent, permit.reports) == ([], [])
    assert end.next_provider == "b"  # whose turn it is stays
    assert (end.error == end.reason) is (status is Status.FAILED)


async def test_the_first_gate_that_stops_it_is_the_only_one_that_speaks():
    end = await World(cap=OVER).deliver(
        replace(CAPPED, expires_at=NOW, suppressed="bounce", preferences=NIGHT)
    )
    assert [step.gate for step in end.steps] == ["expiry"]


async def test_every_gate_that_looked_at_something_is_a_step_in_order():
    outside = wishes(quiet_hours=QuietHours(time(22), time(8)), frequency_cap=FrequencyCap(5, 60))
    world = World(rate=Rate(3, 60), cap=CapUse(allowed=True, used=2))
    end = await world.deliver(replace(CAPPED, preferences=outside))
    assert [(step.gate, step.verdict) for step in end.steps] == [
        ("quiet_hours", "passed"),
        ("frequency_cap", "passed"),
        ("recipient_limit", "passed"),
    ]
    urgent = replace(CAPPED, preferences=NIGHT, priority=Priority.HIGH, category="critical")
    end = await world.deliver(urgent)
    assert (end.steps[0].gate, end.steps[0].verdict) == ("quiet_hours", "bypassed")
    assert end.status is Status.DELIVERED


async def test_the_recipients_limit_defers():
    world = World(rate=Rate(1, 60))
    await world.deliver(CLAIMED)
    end = await world.deliver(CLAIMED)
    assert (end.status, end.outcome) == (Status.DEFERRED, NOT_CALLED)
    assert end.delay_s == pytest.approx(60, abs=0.01)
    assert (end.steps[-1].gate, end.steps[-1].verdict) == ("recipient_limit", "deferred")
    assert len(world.sent) == 1


async def test_a_provider_that_cannot_be_called_defers_as_long_as_it_says():
    world = World(rate=Rate(1, 60))
    end = await world.deliver(
        CLAIMED, FakePermit(blocked=Blocked("breaker", "the breaker of a is open", 12.0))
    )
    assert [(step.gate, step.verdict) for step in end.steps] == [
        ("provider", "deferred")
    ]  # and nothing is counted
    assert (end.status, end.outcome, end.delay_s) == (Status.DEFERRED, NOT_CALLED, 12.0)
    assert end.reason == "the breaker of a is open"
    assert world.sent == []


async def test_a_lease_is_looked_at_last():
    world = World()

    class Slow(FakePermit):
        async def route(self, preferred):
            world.now = 100.0
            return "webhook"

    end = await world.deliver(CLAIMED, Slow())
    assert (end.status, end.delay_s, end.reason) == (
        Status.DEFERRED,
        0.0,
        "the lease was too old to call the provider",
    )
    assert world.sent == []


@pytest.mark.parametrize(
    ("attempts", "dead_letter_limits", "status", "outcome", "delay_s"),
    [
        (1, 10, Status.RETRYING, TEMPORARY, 1.0),
        (3, 10, Status.RETRYING, TEMPORARY, 4.0),
        (4, 10, Status.FAILED, TEMPORARY, None),
        (4, 1, Status.DEFERRED, NOT_CALLED, DEFECT_DELAY_S),  # the limit is used up
        (1, 1, Status.RETRYING, TEMPORARY, 1.0),
    ],
)
async def test_a_defect_of_ours_is_tried_again_and_buried_within_the_limit(
    attempts, dead_letter_limits, status, outcome, delay_s
):
    world = World(fault=KeyError("oops"), dead_letter_limits=dead_letter_limits)
    dead = await world.deliver(replace(TEMPLATED, attempts=4))
    assert (dead.status, dead.reason) == (
        Status.FAILED,
        "internal error: KeyError (after 4 attempts)",
    )
    permit = FakePermit("a", "b")
    end = await world.deliver(replace(TEMPLATED, attempts=attempts, next_provider="b"), permit)
    assert (end.status, end.outcome, end.delay_s) == (status, outcome, delay_s)
    assert end.reason.startswith("internal error: KeyError")
    assert end.error == "internal error: KeyError"
    if status is not Status.FAILED:  # its attempt says why
        assert end.steps[-1].reason == end.reason
    assert (world.sent, permit.reports) == ([], [])


async def test_a_refusal_uses_nothing_of_the_limit_on_burials():
    world = World(Permanent("HTTP 400"), dead_letter_limits=1)
    for _ in range(5):
        assert (await world.deliver(CLAIMED)).status is Status.FAILED
    world.fault = KeyError("oops")
    assert (await world.deliver(replace(TEMPLATED, attempts=4))).status is Status.FAILED


async def test_steps_taken_before_a_defect_are_kept():
    end = await World(fault=KeyError("oops"), dead_letter_limits=1).deliver(
        replace(TEMPLATED, preferences=wishes(quiet_hours=QuietHours(time(22), time(8))))
    )
    assert [(step.gate, step.reason) for step in end.steps] == [
        ("quiet_hours", "outside the quiet hours"),
        ("retry", "internal error: KeyError"),
    ]


@pytest.mark.parametrize("claimed", [TEMPLATED, CAPPED])
async def test_postgresql_away_defers_without_using_an_attempt(claimed):
    world = World(fault=DatabaseUnavailable())

    async def away(_claimed, _cap):
        raise DatabaseUnavailable

    world.take = away
    end = await world.deliver(claimed)
    assert (end.status, end.outcome, end.delay_s) == (Status.DEFERRED, NOT_CALLED, DATABASE_DELAY_S)
    assert end.steps[-1].gate == ("render" if claimed is TEMPLATED else "frequency_cap")
    assert world.sent == []


async def test_renders_subject_and_body():
    world = World(source=("For {{ name }}", "Hello {{ name }}"))
    end = await world.deliver(TEMPLATED)
    assert (world.sent[0][1].subject, world.sent[0][1].content) == ("For Ada", "Hello Ada")
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
    world = World(source=source)
    end = await world.deliver(replace(claimed, content="fallback"))
    assert (end.status, world.sent[0][1].content) == (Status.DELIVERED, "fallback")
    assert (end.steps[0].gate, end.steps[0].verdict) == ("render", "fallback")
    world.sent.clear()
    end = await world.deliver(claimed)
    assert (end.status, end.outcome) == (Status.FAILED, NOT_CALLED)
    assert end.reason.startswith("rendering failed")
    assert world.sent == []


async def test_the_limit_counts_the_rendered_text():
    end = await World().deliver(replace(TEMPLATED, template_variables={"name": "x" * 160}))
    assert (end.status, end.steps[-1].gate) == (Status.FAILED, "render")
    assert "166 characters" in end.reason
