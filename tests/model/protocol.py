"""The delivery protocol as a transition system: every step that a worker, a clock, a sender or a
fault can take.

One step is what one database statement, one Kafka request or one provider call does at once;
between any two of them a worker may crash, pause or lose its partition. `off` names protections
that are left out, to see what they are for.
"""

from collections.abc import Iterator
from typing import NamedTuple

from tests.model.state import (
    TERMINAL,
    WAITING,
    Attempt,
    Budget,
    Delivery,
    Entry,
    Held,
    Lease,
    Record,
    Row,
    State,
    Step,
    Token,
)

API = -1
ANSWERS = ("delivered", "temporary", "permanent", "unknown", "unknown, taken")
UNKNOWN = ("unknown", "unknown, taken")
CALLED = ("checked", *ANSWERS)
CANCELLABLE = ("pending", *WAITING)
Edge = tuple[Step, State]


class World(NamedTuple):
    """Bounds of one exploration."""

    budget: Budget = Budget()
    messages: int = 1
    workers: int = 2
    max_retries: int = 2
    hold: bool = False
    """`on_unknown` is `hold`."""
    answers: tuple[str, ...] = ANSWERS
    schedules: bool = False
    timers: bool = True
    audit: bool = False
    forgets_stale: bool = True
    """Copies that can claim nothing any more are forgotten, which keeps the states few."""
    off: frozenset[str] = frozenset()


def start(world: World) -> State:
    """Nothing accepted yet."""
    return State(world.budget, (None,) * world.messages)


def steps(world: World, state: State) -> Iterator[Edge]:
    """All that can happen next."""
    for part in (_creates, _outbox, _kafka, _lane, _deliver, _clock, _people, _audit, _faults):
        for step, after in part(world, state):
            yield step, _tidy(world, _watched(world, state, step, after))


# --- accept


def _creates(world: World, s: State) -> Iterator[Edge]:
    for m, row in enumerate(s.rows):
        if row is None and all(s.rows[:m]):
            yield Step("create", (m, "pending")), _queued(_row(s, m, Row("pending")), m, 1, API)
            if world.schedules:
                yield Step("create", (m, "scheduled")), _row(s, m, Row("scheduled", due="later"))


# --- outbox and Kafka


def _queued(s: State, m: int, seq: int, by: int | None, *, lane: bool = True) -> State:
    return s._replace(outbox=s.outbox | {Entry(m, seq, lane, by)})


def _outbox(world: World, s: State) -> Iterator[Edge]:
    """Publish and delete are one step, unless whoever does it crashes between them."""
    for e in sorted(s.outbox, key=str):
        others = s.outbox - {e}
        if e.by is None:
            if "leftovers are taken" not in world.off:
                for w in _awake(world, s)[:1]:
                    yield (
                        Step("take leftover", (e, w)),
                        s._replace(outbox=others | {e._replace(by=w)}),
                    )
        elif e.by not in s.paused:
            yield Step("publish", (e, True)), _published(world, s, e)._replace(outbox=others)
            if s.budget.crashes:
                after = _crash(world, _published(world, s, e), e.by)
                yield Step("publish", (e, False), helps=False), _spent(after, "crashes")
            if s.budget.crashes and "deleted after the broker's answer" in world.off:
                yield (
                    Step("delete", (e,), helps=False),
                    _spent(_crash(world, s._replace(outbox=others), e.by), "crashes"),
                )


def _published(world: World, s: State, e: Entry) -> State:
    if e.lane:
        return s._replace(log=(*s.log, Record(e.message, e.seq)))
    return s._replace(timers=s.timers | {(e.message, e.seq)}) if world.timers else s


def _kafka(world: World, s: State) -> Iterator[Edge]:
    if s.owner is None:
        for w in _awake(world, s):
            yield Step("assign", (w,)), s._replace(owner=w, position=0)
    elif s.owner not in s.paused and s.position < len(s.log):
        record = s.log[s.position]
        held = Held(s.owner, record.message, record.seq, s.position)
        after = s._replace(held=s.held | {held}, position=s.position + 1)
        if "acknowledged after the claim" in world.off:
            after = _acked(world, after, held.offset)
        yield Step("receive", (s.owner, record.message, record.seq)), after


def _acked(world: World, s: State, offset: int) -> State:
    if (
        "acknowledged in order" in world.off
    ):  # the committed offset is the last one that anybody acknowledged
        return s._replace(
            log=tuple(r._replace(acked=r.acked or i <= offset) for i, r in enumerate(s.log))
        )
    return s._replace(
        log=tuple(r._replace(acked=r.acked or i == offset) for i, r in enumerate(s.log))
    )


# --- the lane: park or claim, then acknowledge


def _lane(world: World, s: State) -> Iterator[Edge]:
    """The acknowledgement follows at once, unless the worker crashes or pauses before it."""
    for h in sorted(s.held):
        if h.worker not in s.paused:
            yield from _settling(world, s, [h], *_claim(world, s, [h]))
            if s.budget.parks:
                yield from _settling(world, s, [h], *_park(s, h))
    for w in _awake(world, s):
        together = sorted(h for h in s.held if h.worker == w)
        if len({h.message for h in together}) == len(together) > 1:
            yield from _settling(world, s, together, *_claim(world, s, together))


def _settling(
    world: World, before: State, copies: list[Held], step: Step, after: State
) -> Iterator[Edge]:
    w = copies[0].worker
    done = after._replace(held=after.held - set(copies))
    if "acknowledged after the claim" not in world.off:
        for h in copies:
            done = _acked(world, done, h.offset) if h.offset >= 0 else done
    yield step, done
    if before.budget.crashes and any(h.offset >= 0 for h in copies):
        yield (
            step._replace(helps=False, args=(*step.args, "crash")),
            _spent(_crash(world, after, w), "crashes"),
        )
    if before.budget.pauses and w == 0 and any(h.offset >= 0 for h in copies):
        yield (
            step._replace(helps=False, args=(*step.args, "pause")),
            _spent(_pause(after, w), "pauses"),
        )


def _is_current(world: World, row: Row | None, h: Held) -> bool:
    return (
        row is not None
        and (row.status == "pending" or "claim looks at the status" in world.off)
        and (row.seq == h.seq or "claim looks at seq" in world.off)
    )


def _claim(world: World, s: State, copies: list[Held]) -> Edge:
    """One statement for all; those that lose change nothing."""
    won = [h for h in copies if _is_current(world, s.rows[h.message], h)]
    after = s
    if won:
        token: Token = tuple((h.message, _of(s, h.message).seq) for h in won)
        for h in won:
            row = _of(s, h.message)
            after = _row(
                after,
                h.message,
                row._replace(status="processing", attempts=row.attempts + 1, token=token, due=None),
            )
            delivery = Delivery(h.worker, h.message, token, row.chain, row.attempts + 1)
            after = after._replace(deliveries=after.deliveries | {delivery})
        after = after._replace(leases=after.leases | {Lease(token, copies[0].worker)})
        if any(h.seq != _of(s, h.message).seq for h in won):
            after = after._replace(broken="a stale copy claims nothing")
    turns, winners = tuple((h.message, h.seq) for h in copies), tuple(h.message for h in won)
    return Step("claim", (copies[0].worker, turns, winners)), after


def _park(s: State, h: Held) -> Edge:
    row = _of(s, h.message)
    done = row.status == "pending" and row.seq == h.seq
    after = _spent(s, "parks")
    if done:
        after = _row(after, h.message, row._replace(status="deferred", due="later", reason=True))
        after = _queued(after, h.message, row.seq, h.worker, lane=False)
    return Step("park", (h.worker, h.message, h.seq, done), helps=False), after


# --- the delivery: gates, call, record


def _deliver(world: World, s: State) -> Iterator[Edge]:
    for d in sorted(s.deliveries):
        if d.worker in s.paused:
            continue
        if d.phase in ANSWERS or d.phase.startswith("stopped"):
            yield _record(world, s, d)
        elif d.phase == "claimed":
            if _lease_of(s, d) is None and "no call under an old lease" not in world.off:
                yield Step("stopped", (d, "late"), helps=False), _moved(s, d, "stopped deferred")
                continue
            yield Step("checked", (d,)), _moved(s, d, "checked")
            if s.budget.gates:
                for status in ("deferred", "suppressed"):
                    after = _spent(s, "gates")
                    yield (
                        Step("stopped", (d, status), helps=False),
                        _moved(after, d, f"stopped {status}"),
                    )
        else:
            for answer in world.answers:
                taken, faulty = answer in ("delivered", "unknown, taken"), answer in UNKNOWN
                after = _seen(_moved(s, d, answer), d, taken=taken, faults=faulty)
                yield Step("call", (d, answer)), after


def _lease_of(s: State, d: Delivery) -> Lease | None:
    """The delivery's own lease; a worker knows by its own clock when it is over."""
    row = _of(s, d.message)
    return next((x for x in s.leases if x.token == d.token and row.token == d.token), None)


def _moved(s: State, d: Delivery, phase: str) -> State:
    return s._replace(deliveries=s.deliveries - {d} | {d._replace(phase=phase)})


def _seen(s: State, d: Delivery, *, taken: bool = False, faults: bool = False) -> State:
    row = _of(s, d.message)
    calls = {chain: (n, bad) for chain, n, bad in row.calls}
    n, bad = calls.get(d.chain, (0, 0))
    calls[d.chain] = (n + taken, bad + faults)
    return _row(s, d.message, row._replace(calls=tuple((c, *v) for c, v in sorted(calls.items()))))


def _record(world: World, s: State, d: Delivery) -> Edge:
    row = _of(s, d.message)
    outcome = (
        "not_called"
        if d.phase.startswith("stopped")
        else "unknown"
        if d.phase in UNKNOWN
        else d.phase
    )
    gone = s._replace(deliveries=s.deliveries - {d})
    ours = row.status == "processing" and row.token == d.token
    if not ours and "finish looks at the token" in world.off:
        ours = row.status == "processing"
    if not ours:
        return _record_late(world, gone, d, outcome)
    if outcome == "not_called":
        status = d.phase.removeprefix("stopped ")
        ended = row._replace(
            status=status,
            due="later" if status == "deferred" else None,
            token=None,
            reason=True,
            attempts=row.attempts - 1,
            closed=(*row.closed, Attempt(row.chain, row.attempts, outcome)),
        )
        after = _row(gone, d.message, ended)
        return Step("record", (d, outcome, True)), _timed(after, d.message, d.worker)
    return Step("record", (d, outcome, True)), _ended(world, gone, d.message, outcome, d.worker)


def _ended(world: World, s: State, m: int, outcome: str, by: int) -> State:
    """What the answer, or the end of the lease, makes of a row that is being delivered."""
    row = _of(s, m)
    spent = row.attempts > world.max_retries
    status = {
        "delivered": "delivered",
        "permanent": "failed",
        "temporary": "failed" if spent else "retrying",
        "unknown": "unknown" if world.hold else "failed" if spent else "retrying",
    }[outcome]
    buried = status == "failed" and "a dead letter with the failure" not in world.off
    return _timed(
        _row(
            s,
            m,
            row._replace(
                status=status,
                due="later" if status == "retrying" else None,
                token=None,
                reason=status != "delivered",
                closed=(*row.closed, Attempt(row.chain, row.attempts, outcome)),
                letters=(*row.letters, row.chain) if buried else row.letters,
            ),
        ),
        m,
        by,
    )


def _timed(s: State, m: int, by: int) -> State:
    row = _of(s, m)
    return _queued(s, m, row.seq, by, lane=False) if row.status in ("retrying", "deferred") else s


def _record_late(world: World, s: State, d: Delivery, outcome: str) -> Edge:
    row = _of(s, d.message)
    closed = tuple(
        (
            a._replace(late=outcome)
            if (a.chain, a.number, a.outcome) == (d.chain, d.number, "unknown")
            else a
        )
        for a in row.closed
    )
    statuses = ["unknown", "pending", *WAITING]
    unclaimed = (row.chain, row.attempts) == (d.chain, d.number)
    if "late success only while unclaimed" in world.off:
        statuses, unclaimed = [*statuses, "processing"], row.chain == d.chain
    accepted = outcome == "delivered" and unclaimed and row.status in statuses
    row = row._replace(closed=closed)
    if accepted:
        row = row._replace(status="delivered", due=None, reason=True)
    return Step("record", (d, outcome, False, accepted), helps=False), _row(s, d.message, row)


# --- clocks: what is due, and leases that end


def _clock(world: World, s: State) -> Iterator[Edge]:
    for m, row in enumerate(s.rows):
        if row is not None and row.due == "later":
            yield Step("time passes", (m,)), _row(s, m, row._replace(due="now"))
        if (
            row is not None
            and row.status in WAITING
            and row.due == "now"
            and "scheduler" not in world.off
        ):
            yield Step("scheduler", (m,)), _woken(world, s, m)
    yield from _timers(world, s)
    for lease in sorted(s.leases):
        lives = any(d.token == lease.token and d.worker not in s.paused for d in s.deliveries)
        if "sweeper" not in world.off and (
            not lives or "lease outlives a living call" in world.off
        ):
            yield _lease_ends(world, s, lease)


def _timers(world: World, s: State) -> Iterator[Edge]:
    for m, seq in sorted(s.timers):
        row = _of(s, m)
        if row.status not in WAITING or row.seq != seq:
            yield (
                Step("timer", (m, seq, False), helps=False),
                s._replace(timers=s.timers - {(m, seq)}),
            )
        elif row.due == "now":
            yield Step("timer", (m, seq, True), helps=False), _woken(world, s, m)


def _woken(world: World, s: State, m: int) -> State:
    row = _of(s, m)
    after = _row(s, m, row._replace(status="pending", seq=row.seq + 1, due=None, reason=False))
    return _queued(after, m, row.seq + 1, _awake(world, s)[0])


def _lease_ends(world: World, s: State, lease: Lease) -> Edge:
    after, settled = s._replace(leases=s.leases - {lease}), []
    for m, _ in lease.token:
        row = _of(s, m)
        if row.status == "processing" and row.token == lease.token:
            settled.append(m)
            if "an attempt without an answer counts" in world.off:
                after = _row(
                    after,
                    m,
                    row._replace(
                        status="retrying",
                        due="later",
                        token=None,
                        reason=True,
                        attempts=row.attempts - 1,
                        closed=(*row.closed, Attempt(row.chain, row.attempts, "not_called")),
                    ),
                )
            else:
                after = _ended(world, after, m, "unknown", API)
    return Step("lease ends", (lease, tuple(settled))), after


# --- people: cancel, reschedule, resolve, replay


def _people(world: World, s: State) -> Iterator[Edge]:
    for m, row in enumerate(s.rows):
        if row is None:
            continue
        if s.budget.cancels:
            may = row.status in CANCELLABLE
            if "cancel loses against the claim" in world.off:
                may = may or row.status == "processing"
            if "an end is final" in world.off:
                may = may or row.status == "delivered"
            if may:
                yield (
                    Step("cancel", (m,), helps=False),
                    _row(
                        _spent(s, "cancels"),
                        m,
                        row._replace(
                            status="cancelled",
                            due=None,
                            reason="every end has a reason" not in world.off,
                        ),
                    ),
                )
        if s.budget.reschedules and row.status in CANCELLABLE:
            yield (
                Step("reschedule", (m,), helps=False),
                _row(
                    _spent(s, "reschedules"),
                    m,
                    row._replace(status="scheduled", seq=row.seq + 1, due="later", reason=True),
                ),
            )
        if row.status == "unknown" and s.budget.resolves:
            yield from _resolutions(world, s, m, row)
        if s.budget.replays and row.status in TERMINAL:
            chain = row.chain if "replay begins a chain" in world.off else row.chain + 1
            again = row._replace(
                status="pending",
                seq=row.seq + 1,
                chain=chain,
                attempts=0,
                due=None,
                reason=False,
                resolved=False,
            )
            yield (
                Step("replay", (m,), helps=False),
                _queued(_row(_spent(s, "replays"), m, again), m, again.seq, API),
            )


def _resolutions(world: World, s: State, m: int, row: Row) -> Iterator[Edge]:
    s = _spent(s, "resolves")
    yield (
        Step("resolve", (m, "delivered"), helps=False),
        _row(s, m, row._replace(status="delivered", reason=True, resolved=True)),
    )
    yield (
        Step("resolve", (m, "failed"), helps=False),
        _row(s, m, row._replace(status="failed", reason=True, letters=(*row.letters, row.chain))),
    )
    yield Step("resolve", (m, "resend"), helps=False), _woken(world, s, m)


# --- the audit


def _audit(world: World, s: State) -> Iterator[Edge]:
    if not world.audit or "audit" in world.off:
        return
    for m, row in enumerate(s.rows):
        if row is None:
            continue
        on_the_way = any(e.message == m and e.lane for e in s.outbox) or any(
            r.message == m for r in s.log
        )
        if row.status == "pending" and not on_the_way and not any(h.message == m for h in s.held):
            yield (
                Step("repair", (m,)),
                _queued(_row(s, m, row._replace(seq=row.seq + 1)), m, row.seq + 1, None),
            )
        if (
            row.status == "processing"
            and row.token
            and not any(x.token == row.token for x in s.leases)
        ):
            yield Step("restore lease", (m,)), s._replace(leases=s.leases | {Lease(row.token, API)})


# --- faults


def _faults(world: World, s: State) -> Iterator[Edge]:
    if s.budget.crashes:
        for w in (API, *range(world.workers)):
            after = _crash(world, s, w)
            if after != s:
                yield Step("crash", (w,), helps=False), _spent(after, "crashes")
    if s.budget.pauses:
        yield Step("pause", (0,), helps=False), _spent(_pause(s, 0), "pauses")
    for w in sorted(s.paused):
        yield Step("resume", (w,), helps=False), s._replace(paused=s.paused - {w})
    if s.budget.rebalances and s.owner is not None:
        kept = frozenset(h for h in s.held if h.worker != s.owner)
        after = _revoked(s._replace(held=kept), s.owner)
        yield Step("revoke", (s.owner,), helps=False), _spent(after, "rebalances")
    if s.budget.losses and s.log:
        held = frozenset(h._replace(offset=-1) for h in s.held)
        yield (
            Step("Kafka loses its records", (), helps=False),
            _spent(s._replace(log=(), position=0, held=held), "losses"),
        )
    if s.budget.lost_leases and s.leases:
        yield (
            Step("a lease is lost", (), helps=False),
            _spent(s._replace(leases=frozenset()), "lost_leases"),
        )


def _revoked(s: State, worker: int) -> State:
    """The partition goes to whoever takes it next, from the committed offset.

    What a zombie acknowledges is void.
    """
    held = frozenset(h._replace(offset=-1) if h.worker == worker else h for h in s.held)
    return s._replace(owner=None, position=0, held=held) if s.owner == worker else s


def _crash(world: World, s: State, w: int) -> State:
    kept = frozenset(e for e in s.outbox if e.by != w)
    left = frozenset(e._replace(by=None) for e in s.outbox if e.by == w)
    if "outbox" in world.off:
        left = frozenset()
    after = s._replace(
        outbox=kept | left,
        held=frozenset(h for h in s.held if h.worker != w),
        deliveries=frozenset(d for d in s.deliveries if d.worker != w),
        paused=s.paused - {w},
        timers=frozenset() if w >= 0 else s.timers,
    )
    return _revoked(_hit(after, s, w), w)


def _pause(s: State, w: int) -> State:
    """Longer than its session and its lease.

    What it was about to publish is left over, and published twice.
    """
    left = frozenset(e._replace(by=None) if e.by == w else e for e in s.outbox)
    return _revoked(_hit(s._replace(paused=s.paused | {w}, outbox=left), s, w), w)


def _hit(after: State, before: State, w: int) -> State:
    for d in before.deliveries:
        if d.worker == w and d.phase in CALLED:
            after = _seen(after, d, faults=True)
    return after


# --- what must never happen in one step, and what no longer matters


def _watched(world: World, before: State, step: Step, after: State) -> State:
    for m, (old, new) in enumerate(zip(before.rows, after.rows, strict=True)):
        if old is None or new is None or old.status == new.status:
            continue
        if old.status in TERMINAL and step.name != "replay":
            return after._replace(
                broken=(
                    "3: cancelled is never sent" if old.status == "cancelled" else "an end is final"
                )
            )
        if old.status == "processing" and not _entitled(step, m, old):
            return after._replace(broken="a claim is nobody else's")
    return after


def _entitled(step: Step, m: int, row: Row) -> bool:
    """Whether who did it holds the claim, or ended its lease."""
    cause = step.args[0] if step.args else None
    if isinstance(cause, Delivery):
        return cause.message == m and cause.token == row.token
    return isinstance(cause, Lease) and cause.token == row.token


def _tidy(world: World, s: State) -> State:
    """Forget what nothing can depend on any more, so that equal states are found equal."""
    if world.forgets_stale:
        s = s._replace(
            outbox=frozenset(
                e for e in s.outbox if (_claims if e.lane else _wakes)(s, e.message, e.seq)
            ),
            log=tuple(r if _claims(s, r.message, r.seq) else r._replace(acked=True) for r in s.log),
            held=frozenset(h for h in s.held if _claims(s, h.message, h.seq)),
            timers=frozenset((m, seq) for m, seq in s.timers if _wakes(s, m, seq)),
        )
    committed = next((i for i, r in enumerate(s.log) if not r.acked), len(s.log))
    if committed:
        s = s._replace(
            log=s.log[committed:],
            position=max(s.position - committed, 0),
            held=frozenset(h._replace(offset=max(h.offset - committed, -1)) for h in s.held),
        )
    used = {row.token for row in s.rows if row is not None and row.status == "processing"}
    leases = frozenset(x for x in s.leases if x.token in used)
    return s if leases == s.leases else s._replace(leases=leases)


def _claims(s: State, m: int, seq: int) -> bool:
    return _of(s, m).status == "pending" and _of(s, m).seq == seq


def _wakes(s: State, m: int, seq: int) -> bool:
    return _of(s, m).status in WAITING and _of(s, m).seq == seq


def _awake(world: World, s: State) -> list[int]:
    return [w for w in range(world.workers) if w not in s.paused]


def _of(s: State, m: int) -> Row:
    row = s.rows[m]
    assert row is not None
    return row


def _row(s: State, m: int, row: Row) -> State:
    return s._replace(rows=(*s.rows[:m], row, *s.rows[m + 1 :]))


def _spent(s: State, what: str) -> State:
    return s._replace(budget=s.budget._replace(**{what: getattr(s.budget, what) - 1}))
