"""A provider that now and then says no: who is told so waits, and nobody else does."""

import random
from statistics import median

from tests.faults.levels import calm_again, levels
from tests.faults.oracle import judge, quiet
from tests.faults.sizes import sized

RATE = 30
SHARE = 0.1
BEHIND = RATE
"""Messages accepted between one's own acceptance and its first call: a second's worth is a machine
that has no time.
"""


async def test_one_in_ten_calls_fails_and_the_others_go_on_as_before(sites, report):
    count = sized(300, 3000)
    async with sites() as site:
        await site.product.worker()
        idle = await levels(site.product)
        await site.load.stream(site.load.mixed(count), per_second=RATE, persist=True)
        await quiet(site)
        healthy = await waits(site)
        chance, told = random.Random(7), set()

        def answer(call):
            """No message is told so twice, so that none of them fails in the end."""
            if call["key"] in told or chance.random() >= SHARE:
                return 202, {}
            told.add(call["key"])
            return 503, {}

        site.ledger.answer = answer
        await site.load.stream(site.load.mixed(count), per_second=RATE, persist=True)
        verdict = await judge(site, duplicates=0)
        others = [
            wait
            for key, wait in (await waits(site)).items()
            if key not in told and key not in healthy
        ]
        assert len(told) > count * SHARE / 2
        assert len(others) == count - len(told)
        assert median(behind for _, behind in others) <= BEHIND / 3
        assert sum(behind <= BEHIND for _, behind in others) >= 0.9 * len(others)
        await calm_again(site.product, idle)
        p50, usual = (
            median(seconds for seconds, _ in of) * 1000 for of in (others, healthy.values())
        )
        report(
            "one call in ten is answered with 503",
            f"{RATE} requests/s; p50 of those that are not {p50:.0f} ms, without the fault"
            f" {usual:.0f} ms",
            verdict,
        )


async def waits(site):
    """For each message the seconds from its acceptance to its first call, and how many were
    accepted meanwhile.
    """
    first = {}
    for call in site.ledger.calls:
        first.setdefault(call["key"], call["at"])
    rows = await site.query(
        "SELECT id::text, extract(epoch FROM created_at)::float AS at FROM notifications ORDER BY"
        " created_at"
    )
    accepted = [row["at"] for row in rows]
    found = {}
    for place, row in enumerate(rows):
        behind = place + 1
        while behind < len(accepted) and accepted[behind] < first[row["id"]]:
            behind += 1
        found[row["id"]] = first[row["id"]] - row["at"], behind - place - 1
    return found
