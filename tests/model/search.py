"""Breadth-first search over all reachable states, and what must hold in each."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.model.protocol import World, start, steps
from tests.model.state import TERMINAL, Row, State, Step


@dataclass
class Found:
    """What an exploration saw: its states, how each was reached first, its edges, and the first
    broken promise.
    """

    states: int = 0
    edges: int = 0
    broken: str | None = None
    trace: list[Step] = field(default_factory=list)
    parents: dict[State, tuple[State, Step] | None] = field(default_factory=dict)

    def way_to(self, state: State) -> list[Step]:
        """The shortest way there."""
        way: list[Step] = []
        while (parent := self.parents[state]) is not None:
            state, step = parent
            way.append(step)
        return way[::-1]


def explore(world: World, *, only: str | None = None) -> Found:
    """Every reachable state up to the first that breaks a promise, or `only` this one."""
    first = start(world)
    found = Found(parents={first: None})
    queue = deque([first])
    sources: dict[State, list[State]] = {}
    while queue:
        state = queue.popleft()
        for step, after in steps(world, state):
            found.edges += 1
            if after not in found.parents:
                found.parents[after] = (state, step)
                for broken in violated(after):
                    if only in (None, broken):
                        return _failed(found, broken, after)
                queue.append(after)
            if step.helps and after != state:
                sources.setdefault(after, []).append(state)
    found.states = len(found.parents)
    stuck = _stuck(found, sources)
    return found if stuck is None else _failed(found, "1: accepted is never lost", stuck)


def _failed(found: Found, broken: str, state: State) -> Found:
    found.states = len(found.parents)
    found.broken, found.trace = broken, found.way_to(state)
    return found


def _stuck(found: Found, sources: Mapping[State, list[State]]) -> State | None:
    """The first state from which no help leads to an end."""
    good = {
        state
        for state in found.parents
        if all(row is not None and _at_rest(row) for row in state.rows)
    }
    queue = deque(good)
    while queue:
        for state in sources.get(queue.popleft(), ()):
            if state not in good:
                good.add(state)
                queue.append(state)
    return next((state for state in found.parents if state not in good), None)


def _at_rest(row: Row) -> bool:
    return row.status in TERMINAL or row.status == "unknown"


def violated(state: State) -> Iterator[str]:
    """The promises that this state breaks, and the rules that guard them."""
    if state.broken:
        yield state.broken
    for m, row in enumerate(state.rows):
        if row is not None:
            yield from _duplicates(row)
            yield from _silent(row)
            if row.status == "cancelled" and any(
                d.message == m and d.token == row.token and d.phase == "claimed"
                for d in state.deliveries
            ):
                yield "3: cancelled is never sent"
            if (row.status == "processing") != (row.token is not None):
                yield "a claim is nobody else's"


def _duplicates(row: Row) -> Iterator[str]:
    for chain, taken, faults in row.calls:
        uncertain = sum(a.chain == chain and a.outcome == "unknown" for a in row.closed)
        if taken - 1 > faults:
            yield "2: duplicates are bounded by the faults between a call and its record"
        if taken - 1 > uncertain:
            yield "2: every duplicate is counted"
        if row.status == "cancelled" and chain == row.chain and taken > uncertain:
            yield "3: cancelled is never sent"


def _silent(row: Row) -> Iterator[str]:
    if _at_rest(row) and row.status != "delivered" and not row.reason:
        yield "4: nothing is silent"
    if row.status == "failed" and row.chain not in row.letters:
        yield "4: nothing is silent"
    if (
        row.status == "delivered"
        and not row.resolved
        and not any(taken for _, taken, _ in row.calls)
    ):
        yield "4: delivered means that a provider took it"
