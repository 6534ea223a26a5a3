"""A receiver that is away, refuses, or takes messages without saying so."""

import pytest

from tests.faults.oracle import judge, quiet
from tests.faults.sizes import FULL, sized
from tests.stack import messages, until

full_size = pytest.mark.skipif(
    not FULL, reason="tests/integration/test_engine.py has the quick one"
)


async def test_answers_that_are_cut_off_are_repeated_within_the_attempts_and_counted(sites, report):
    count = sized(150, 3000)
    async with sites(BREAKER_FAILURES="1000") as site:
        cut = {str(number) for number in range(1, count + 1, 3)}
        seen = set()

        def first_time(call):
            fresh = call["key"] not in seen
            seen.add(call["key"])
            return fresh and call["content"] in cut

        site.ledger.cut(first_time)
        await site.product.worker()
        await site.load.in_batches(site.load.mixed(count))
        verdict = await judge(site, duplicates=len(cut))
        assert verdict.duplicates == verdict.counted == await site.counted() == len(cut)
        report("the provider hangs up instead of answering", "every third call, once", verdict)


async def test_what_may_not_be_sent_twice_waits_for_an_operator_when_an_answer_is_cut_off(sites):
    async with sites() as site:
        site.ledger.cut(lambda call: call["content"] == "0")
        await site.product.worker()
        await site.load.batch(messages(4, on_unknown="hold"))
        held = await until(lambda: unknown(site), what="the one to be held")
        assert held["reason"].startswith("outcome_unknown")
        site.ledger.release()
        status, _ = await site.product.call(
            "POST", f"/api/v1/notifications/{held['id']}/resolve", {"outcome": "delivered"}
        )
        assert status == 200
        await quiet(site)
        assert len(site.ledger.calls) == 4


async def unknown(site):
    rows = await site.query("SELECT id::text, reason FROM notifications WHERE status = 'unknown'")
    return rows[0] if rows else None


@full_size
async def test_a_receiver_that_is_away_with_a_backlog(sites, report):
    count = sized(500, 10_000)
    async with sites() as site:
        away = True
        site.ledger.answer = lambda _: (503, {}) if away else (202, {})
        await site.load.in_batches(messages(count))
        worker = await site.product.worker()
        opened = "notistream_breaker_opened_total"

        async def probed():
            return await site.product.metric(worker, opened) >= 6

        await until(probed, what="five probes to fail")
        away = False
        verdict = await judge(site, duplicates=0)
        report(
            "the receiver answers 503 until five probes have failed",
            f"a backlog of {count}",
            verdict,
        )


@full_size
async def test_five_refusals_and_then_a_healthy_receiver(sites, report):
    count = sized(300, 3000)
    async with sites() as site:
        refused = set()

        def answer(call):
            if len(refused) < 5:
                refused.add(call["key"])
            return (400 if call["key"] in refused else 202), {}

        site.ledger.answer = answer
        await site.load.in_batches(messages(count))
        await site.product.worker()
        verdict = await judge(site, duplicates=0, failed=5)
        assert verdict.failed == 5
        report("400 five times, then healthy", f"a backlog of {count}", verdict)
