"""The decision trace as a value: gates that said nothing are named, up to the one that stopped, in
order of time.
"""

from dataclasses import replace
from datetime import timedelta

import pytest

from notistream.db.records import StoredStep
from notistream.delivery.stages import STAGE_NAMES
from notistream.recording.trace import timeline
from notistream.web.notifications import examples

NOW = examples.NOW


def gates_of(attempt):
    return [(s.gate, s.verdict) for s in timeline(examples.PENDING, [], [attempt]).steps[1:]]


def said(gate, verdict="passed", **more):
    return {"gate": gate, "verdict": verdict, "reason": "r", **more}


def attempt(*steps, provider=None, outcome="not_called"):
    return replace(examples.ATTEMPT, provider=provider, outcome=outcome, steps=list(steps))


def test_a_call_names_every_gate_before_it():
    shown = gates_of(attempt(provider="webhook", outcome="delivered"))
    assert shown == [(gate, "passed") for gate in STAGE_NAMES]
    steps = timeline(examples.PENDING, [], [attempt(provider="webhook", outcome="delivered")]).steps
    called = next(step for step in steps if step.gate == "provider")
    assert (called.reason, called.inputs) == (
        "webhook was free to be called",
        {"provider": "webhook"},
    )


@pytest.mark.parametrize("stop", STAGE_NAMES)
def test_nothing_after_the_gate_that_stopped_it_is_named(stop):
    before = STAGE_NAMES[: STAGE_NAMES.index(stop)]
    assert gates_of(attempt(said(stop, "deferred"))) == [
        *((g, "passed") for g in before),
        (stop, "deferred"),
    ]


def test_what_was_said_stays_in_its_place():
    shown = gates_of(
        attempt(
            said("quiet_hours", "bypassed"),
            said("render", "fallback"),
            provider="p",
            outcome="unknown",
        )
    )
    assert [gate for gate, _ in shown] == list(STAGE_NAMES)
    assert dict(shown)["quiet_hours"] == "bypassed"
    assert dict(shown)["render"] == "fallback"


@pytest.mark.parametrize(
    ("steps", "named"),
    [
        ([], []),  # a worker that died: nobody knows how far it came
        ([said("expiry"), said("tomorrow")], ["expiry", "tomorrow"]),
        ([said("render"), said("render", "deferred")], [*STAGE_NAMES[:6], "render"]),
        ([said("render"), said("expiry", "deferred")], [*STAGE_NAMES[:6], "expiry"]),
    ],
)
def test_strange_steps_are_shown_as_they_are(steps, named):
    assert [gate for gate, _ in gates_of(attempt(*steps))] == named


def test_only_calls_are_attempts():
    found = timeline(
        examples.PENDING,
        [],
        [attempt(said("address", "failed")), attempt(provider="p", outcome="temporary")],
    )
    assert [call.outcome for call in found.attempts] == ["temporary"]


def test_the_time_it_was_accepted_with_survives_a_reschedule():
    before, now = NOW + timedelta(hours=1), NOW + timedelta(hours=5)
    moved = StoredStep(
        at=NOW + timedelta(minutes=1),
        gate="reschedule",
        verdict="scheduled",
        reason="r",
        inputs={"scheduled_before": before.isoformat()},
        next_eligible_at=now,
    )
    found = timeline(
        replace(examples.PENDING, scheduled_at=now, due_at=now, status="scheduled"), [moved], []
    )
    assert [step.next_eligible_at for step in found.steps] == [before, now]
    assert found.next_eligible_at == now


def test_one_accepted_for_the_past_was_queued_at_once():
    (first,) = timeline(
        replace(examples.PENDING, scheduled_at=NOW - timedelta(days=1)), [], []
    ).steps
    assert (first.reason, first.next_eligible_at) == ("stored and queued", None)


def test_a_stop_that_names_no_time_is_looked_at_again_when_it_is_due():
    due = NOW + timedelta(minutes=1)
    waiting = replace(examples.PENDING, status="deferred", due_at=due)
    assert (
        timeline(waiting, [], [attempt(said("provider", "deferred"))]).steps[-1].next_eligible_at
        == due
    )
    called = timeline(waiting, [], [attempt(provider="p", outcome="temporary")]).steps[-1]
    assert (called.verdict, called.next_eligible_at) == ("passed", None)
