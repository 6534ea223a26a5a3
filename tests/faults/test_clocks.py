"""Workers whose clocks are wrong: whatever is due, counted or leased goes by the clock of the
database.
"""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from tests.faults.oracle import judge
from tests.faults.sizes import sized
from tests.moments import counted_in_windows, most_in_any
from tests.stack import messages

FAST_S, SLOW_S = 600, -600
ONE = "+905000000000"
LIMIT, WINDOW_S = 40, 2
SOON_S, LATER_S = sized((5, 3), (60, 20))
SETTINGS = {
    "RECIPIENT_RATE_LIMIT": f"{LIMIT}/{WINDOW_S}s",
    "RATE_LIMIT_PER_CHANNEL": "100",
    "LEASE_S": "8",
    "WEBHOOK_TIMEOUT_S": "4",
    "BREAKER_FAILURES": "1000",
}


async def test_two_workers_whose_clocks_are_twenty_minutes_apart(sites, report):
    """Limits hold over both, nobody ends a lease of the other's early, nothing is sent before it is
    due.
    """
    count = sized(100, 2000)
    async with sites(**SETTINGS) as site:
        for slot, wrong_s in enumerate((FAST_S, SLOW_S)):
            with site.product_of("tests.faults.clock", str(wrong_s)):
                assert abs(clock_of(await site.product.worker(slot)) - wrong_s) < 300
        asked = Deferring(site.ledger)
        due = datetime.now(UTC) + timedelta(seconds=SOON_S)
        await site.load.in_batches(
            [
                *messages(count, recipients=1),
                *messages(count, start=1),
                *messages(count // 5, start=count + 1, scheduled_at=due.isoformat()),
                *messages(20, start=2 * count + 1, subject="later"),
                *messages(20, start=3 * count, subject="slow"),
            ]
        )
        verdict = await judge(site, duplicates=0)
        assert verdict.counted == 0
        sent = {call["key"]: call["at"] for call in site.ledger.calls}
        scheduled = await site.query(
            "SELECT id::text FROM notifications WHERE scheduled_at IS NOT NULL"
        )
        assert len(scheduled) == count // 5
        assert min(sent[row["id"]] for row in scheduled) >= due.timestamp()
        assert len(asked.until) == 20
        assert all(sent[key] >= at for key, at in asked.until.items())
        counted = await counted_in_windows(site.product.database_url, ONE)
        assert sum(map(len, counted.values())) == count
        assert max(max(uses) for uses in counted.values()) < LIMIT
        assert all(len(uses) == len(set(uses)) for uses in counted.values())
        assert (
            most_in_any([call["at"] for call in site.ledger.calls if call["to"] == ONE], WINDOW_S)
            <= 2 * LIMIT
        )
        assert most_in_any([call["at"] for call in site.ledger.calls], 1.0) <= 130
        report(
            "the clock of one worker 10 minutes fast, of the other 10 minutes slow",
            f"one recipient beyond its limit, {count // 5} scheduled, 20 held back by a date, 20"
            " slow",
            verdict,
        )


class Deferring:
    """Answers "later" with a date, once, and "slow" after more than a third of the lease."""

    def __init__(self, ledger):
        self.until = {}
        ledger.answer = self.answer
        ledger.slow = lambda call: 3.0 if call.get("subject") == "slow" else 0.0

    def answer(self, call):
        if call.get("subject") != "later" or call["key"] in self.until:
            return 202, {}
        at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=LATER_S)
        self.until[call["key"]] = at.timestamp()
        return 503, {"Retry-After": format_datetime(at, usegmt=True)}


def clock_of(process):
    """By how much the clock is wrong that a process writes its log by."""
    last = json.loads(process.log.read_text().splitlines()[-1])
    return (datetime.fromisoformat(last["time"]) - datetime.now(UTC)).total_seconds()
