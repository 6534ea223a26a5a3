"""What needs attention: each rule at its limit, and the worst first."""

import pytest

from notistream.domain.attention import Level, Situation, concerns

CRITICAL, WARNING, NOTE = Level.CRITICAL, Level.WARNING, Level.NOTE


@pytest.mark.parametrize(
    "situation",
    [
        Situation(),
        Situation(workers=1),
        Situation(outbox_oldest_s=30.0, late_s=30.0, webhooks_late_s=300.0),
        Situation(
            oldest_s={("sms", "high"): 60.0, ("sms", "normal"): 600.0, ("sms", "low"): 3600.0}
        ),
        Situation(audit_age=2.0),
    ],
)
def test_a_good_day(situation):
    assert concerns(situation) == []


@pytest.mark.parametrize(
    ("situation", "level", "words"),
    [
        (Situation(silent=["Kafka"]), CRITICAL, "Kafka does not answer"),
        (Situation(workers=0), CRITICAL, "no worker runs: nothing is delivered"),
        (Situation(stalled=2), CRITICAL, "2 partitions stand still"),
        (Situation(outbox_oldest_s=31), CRITICAL, "the outbox is 31 s behind"),
        (Situation(late_s=31), CRITICAL, "the scheduler is 31 s late"),
        (
            Situation(oldest_s={("sms", "high"): 61}),
            CRITICAL,
            "the oldest of sms.high has waited 61 s",
        ),
        (
            Situation(oldest_s={("sms", "normal"): 601}),
            CRITICAL,
            "the oldest of sms.normal has waited 601 s",
        ),
        (
            Situation(oldest_s={("sms", "low"): 3601}),
            CRITICAL,
            "the oldest of sms.low has waited 3601 s",
        ),
        (Situation(audit_missing=2), CRITICAL, "the audit misses 2: notistream audit"),
        (Situation(audit_age=2.1), WARNING, "no audit was finished in time"),
        (Situation(audit_overdue=3), WARNING, "the audit found 3 that wait past their time"),
        (
            Situation(breakers={"sms/webhook": "half-open"}),
            WARNING,
            "breaker sms/webhook is half-open",
        ),
        (Situation(dead_letters={"sms": 1}), WARNING, "1 dead letter of sms"),
        (Situation(dead_letters={"sms": 2}), WARNING, "2 dead letters of sms"),
        (Situation(webhooks_late_s=301), WARNING, "webhooks are 301 s late"),
        (Situation(pauses=["email/smtp"]), NOTE, "email/smtp is paused"),
    ],
)
def test_each_concern(situation, level, words):
    [found] = concerns(situation)
    assert (found.level, found.text) == (level, words)


def test_the_worst_comes_first():
    found = concerns(Situation(pauses=["sms"], dead_letters={"sms": 1}, workers=0))
    assert [concern.level for concern in found] == [CRITICAL, WARNING, NOTE]


def test_every_runbook_that_is_named_is_there():
    from tests.laws.tree import ROOT

    everything = Situation(
        silent=["x"],
        workers=0,
        breakers={"a": "open"},
        dead_letters={"a": 1},
        stalled=1,
        audit_missing=1,
        audit_overdue=1,
        audit_age=9,
        outbox_oldest_s=99,
        late_s=99,
        oldest_s={("a", "high"): 99},
        webhooks_late_s=999,
    )
    for concern in concerns(everything):
        assert (ROOT / "docs" / "runbooks" / f"{concern.runbook}.md").is_file(), concern
