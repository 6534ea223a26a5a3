"""The oracle: waits until quiet returns, then compares promises, database, receiver, metrics and
audit.
"""

import asyncio
import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from tests.faults.site import Site
from tests.faults.sizes import PATIENCE_S
from tests.stack import until

FINAL = ("delivered", "failed", "cancelled", "suppressed", "expired")
ANSWERED = ("delivered", "temporary", "permanent")
LEFT = """
SELECT status, left(reason, 60) AS reason, count(*), max(seq) AS seq FROM notifications
WHERE status <> ALL ($1) GROUP BY 1, 2 ORDER BY 3 DESC
"""
ROWS = """
SELECT id::text, status, reason, chain, seq, recipient, channel, priority, test,
    EXISTS (SELECT FROM trace_steps t WHERE t.notification_id = n.id) AS waited
FROM notifications n ORDER BY n.id
"""
ATTEMPTS = (
    "SELECT notification_id::text AS id, chain, outcome FROM attempts WHERE outcome <> 'not_called'"
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The figures of one run.

    `counted`: possible duplicates by the attempts whose outcome nobody knows.
    """

    messages: int
    failed: int
    lost: int
    duplicates: int
    counted: int
    recovery_s: float | None


async def quiet(site: Site) -> None:
    """Wait until every message has ended; what stands still for too long is told of."""
    seen: object = None
    since = time.monotonic()
    while left := await _left(site):
        now = (left, len(site.ledger.calls))
        if now != seen:
            seen, since = now, time.monotonic()
        assert time.monotonic() - since < PATIENCE_S, (
            f"nothing moved for {PATIENCE_S:g} s; left: {left}"
        )
        await asyncio.sleep(0.2)
    await until(lambda: site.ledger.in_flight == 0, what="the calls to end")
    await until(lambda: _published(site), what="the outbox to be published", patience_s=PATIENCE_S)


async def _left(site: Site) -> list[tuple[Any, ...]]:
    try:
        return [tuple(row) for row in await site.query(LEFT, FINAL)]
    except (OSError, asyncpg.PostgresError) as exc:  # a fault of this very moment
        return [(repr(exc),)]


async def _published(site: Site) -> bool:
    (row,) = await site.query("SELECT count(*) FROM outbox")
    return bool(row[0] == 0)


async def judge(
    site: Site,
    *,
    duplicates: int,
    failed: int = 0,
    ordered: bool = False,
    counted_by_metric: bool = True,
) -> Verdict:
    """Wait for quiet, then hold every invariant against what was found.

    `duplicates` and `failed` are bounds.

    Raises:
        AssertionError: names everything that is broken, not only the first.
    """
    await quiet(site)
    rows = {row["id"]: row for row in await site.query(ROWS)}
    attempts: dict[str, list[asyncpg.Record]] = defaultdict(list)
    for attempt in await site.query(ATTEMPTS):
        attempts[_key(attempt)].append(attempt)
    calls = Counter(call["key"] for call in site.ledger.calls)
    unknown = {key: sum(a["outcome"] == "unknown" for a in of) for key, of in attempts.items()}
    ended = Counter(row["status"] for row in rows.values())
    verdict = Verdict(
        messages=len(rows),
        failed=ended["failed"],
        lost=len(site.load.accepted - rows.keys()),
        duplicates=site.ledger.duplicates,
        counted=sum(unknown.values()),
        recovery_s=site.ledger.resumed_after(site.moment) if site.moment else None,
    )
    faults = [
        *_promised(site, rows, verdict, failed),
        *_received(site, rows),
        *_explained(rows),
        *_repeated(site, verdict, unknown, duplicates),
        *_attempted(attempts, calls),
        *(_disordered(site, rows) if ordered else ()),
        *await _totals(site, ended),
        *await _audited(site, rows),
    ]
    metric = await site.counted()
    if counted_by_metric and not verdict.duplicates <= metric <= verdict.counted:
        faults.append(f"the metric says {metric:g} possible duplicates: {verdict}")
    assert not faults, "\n".join(faults[:20])
    return verdict


def _key(attempt: asyncpg.Record) -> str:
    return attempt["id"] if attempt["chain"] == 1 else f"{attempt['id']}:{attempt['chain']}"


def _promised(site: Site, rows: Mapping[str, Any], verdict: Verdict, failed: int) -> Iterator[str]:
    """I1: whatever was answered with 202 is there and has ended, and not more has failed than had
    to.
    """
    if verdict.lost:
        yield f"I1: {verdict.lost} of {len(site.load.accepted)} accepted are not in the database"
    if verdict.failed > failed:
        yield f"I1: {verdict.failed} failed, at most {failed} had to"
    if site.longest_overdue_lease_s > site.lease_s + site.away_s:
        yield f"I4: a lease was overdue by {site.longest_overdue_lease_s:.1f} s"
    if not rows:
        yield "there was no load at all"


def _received(site: Site, rows: Mapping[str, Any]) -> Iterator[str]:
    """I2: what is delivered has arrived, and nothing has arrived that nobody accepted."""
    arrived = {key.partition(":")[0] for key in site.ledger.accepted}
    delivered = {i for i, row in rows.items() if row["status"] == "delivered"}
    if missing := delivered - arrived:
        yield f"I2: {len(missing)} are called delivered and never arrived, such as {min(missing)}"
    if strange := arrived - rows.keys():
        yield (
            f"I2: {len(strange)} arrived of which the database knows nothing, such as"
            f" {min(strange)}"
        )


def _explained(rows: Mapping[str, Any]) -> Iterator[str]:
    for i, row in rows.items():
        if row["status"] not in ("delivered", "cancelled") and not row["reason"]:
            yield f"{i} is {row['status']} without a reason"


def _repeated(
    site: Site, verdict: Verdict, unknown: Mapping[str, int], bound: int
) -> Iterator[str]:
    """I3: duplicates are within the bound, and each is an attempt that is called unknown."""
    if verdict.duplicates > bound:
        yield f"I3: {verdict.duplicates} duplicates, at most {bound} may be"
    for key, times in site.ledger.accepted.items():
        if times - 1 > unknown.get(key, 0):
            yield f"I3: {key} arrived {times} times with {unknown.get(key, 0)} unknown attempts"


def _attempted(attempts: Mapping[str, Sequence[Any]], calls: Mapping[str, int]) -> Iterator[str]:
    """I5: every attempt with an answer was a call, and every call an attempt."""
    for key in attempts.keys() | calls.keys():
        outcomes = [a["outcome"] for a in attempts.get(key, ())]
        answered = sum(outcome in ANSWERED for outcome in outcomes)
        if not answered <= calls.get(key, 0) <= len(outcomes):
            yield f"I5: {key} was called {calls.get(key, 0)} times; its attempts: {outcomes}"


def _disordered(site: Site, rows: Mapping[str, Any]) -> Iterator[str]:
    """Order per recipient, channel and priority at the first call, among those that never waited
    anywhere.
    """
    first: dict[str, float] = {}
    for call in site.ledger.calls:
        first.setdefault(call["key"], call["at"])
    latest: dict[tuple[str, str, str], float] = defaultdict(float)
    for i, row in rows.items():  # ids are in the order of acceptance
        lane = row["recipient"], row["channel"], row["priority"]
        if i in first and row["seq"] == 1 and not row["waited"]:
            if first[i] < latest[lane]:
                yield f"{i} was overtaken by a later message to the same recipient"
            latest[lane] = max(latest[lane], first[i])


async def _totals(site: Site, ended: Mapping[str, int]) -> list[str]:
    """The figures that users see are those of the rows."""
    _, shown = await site.product.call("GET", "/api/v1/metrics")
    sent, failed = (
        sum(channel[name] for channel in shown["channels"].values()) for name in ("sent", "failed")
    )
    (letters,) = await site.query(
        "SELECT count(*) FROM dead_letters WHERE notification_id IS NOT NULL"
    )
    found = []
    if (sent, failed) != (ended["delivered"], letters[0]) or letters[0] < ended["failed"]:
        found.append(
            f"the figures say {sent} sent, {failed} failed; {letters[0]} dead letters; rows:"
            f" {dict(ended)}"
        )
    for batch, expected in site.load.batches.items():
        _, counts = await site.product.call("GET", f"/api/v1/batches/{batch}")
        parts = sum(
            counts[f"{name}_count"] for name in ("pending", "delivered", "failed", "cancelled")
        )
        if (counts["total_count"], parts) != (expected, expected) or counts["pending_count"]:
            found.append(f"batch {batch} of {expected} says {counts}")
    return found


async def _audited(site: Site, rows: Mapping[str, Any]) -> list[str]:
    """The product's own proof says the same."""
    said = json.loads(await site.product.run("audit", "--json"))
    if (said["accepted"], said["terminal"], said["missing"]) != (len(rows), len(rows), 0):
        return [f"the audit says {said}"]
    return []
