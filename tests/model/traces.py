"""A covering set of traces: each kind of edge between the states of a row at least once."""

from tests.model.protocol import World, start, steps
from tests.model.search import explore
from tests.model.state import Delivery, Row, State, Step


def covering(world: World) -> list[list[Step]]:
    """Ways that together take every kind of edge: the longest of the shortest ways first, as long
    as they add one.
    """
    found = explore(world)
    assert found.broken is None, found.broken
    first: dict[object, tuple[State, Step]] = {}
    for state in found.parents:
        for step, after in steps(world, state):
            first.setdefault(_edge(state, step, after), (state, step))
    ways = {kind: [*found.way_to(state), step] for kind, (state, step) in first.items()}
    chosen, covered = [], set[object]()
    for kind in sorted(ways, key=lambda kind: (-len(ways[kind]), str(kind))):
        if kind not in covered:
            chosen.append(ways[kind])
            covered |= _kinds(world, ways[kind])
    assert covered >= set(ways)
    return chosen


def _kinds(world: World, way: list[Step]) -> set[object]:
    walked = walk(world, way)
    before = [start(world), *(state for _, state in walked)]
    return {_edge(state, step, after) for state, (step, after) in zip(before, walked, strict=False)}


def _edge(before: State, step: Step, after: State) -> object:
    rows = [(_shape(old), _shape(new)) for old, new in zip(before.rows, after.rows, strict=True)]
    return _kind(step), tuple(pair for pair in rows if pair[0] != pair[1]) or tuple(rows)


def walk(world: World, way: list[Step]) -> list[tuple[Step, State]]:
    """The steps of a way, each with the state that it leads to."""
    state, walked = start(world), []
    for step in way:
        state = next(after for found, after in steps(world, state) if found == step)
        walked.append((step, state))
    return walked


def _kind(step: Step) -> object:  # noqa: PLR0911 - a table
    """Its name and what came of it, whoever did it."""
    match step.name, step.args:
        case "claim", (_, turns, winners, *rest):
            return step.name, len(turns), len(winners), bool(rest)
        case "record", (Delivery(phase=phase), outcome, *results):
            return step.name, phase, outcome, *results
        case (("park" | "timer"), args):
            return step.name, args[-1] is True or args[-2] is True
        case (("create" | "resolve"), (_, how)):
            return step.name, how
        case "publish", (_, whole):
            return step.name, whole
        case "lease ends", (_, settled):
            return step.name, len(settled)
        case (
            "repair"
            | "restore lease"
            | "cancel"
            | "replay"
            | "reschedule"
            | "scheduler"
            | "time passes",
            _,
        ):
            return step.name
    return "other"


def _shape(row: Row | None) -> object:
    return row and (row.status, row.chain, row.attempts, row.due)
