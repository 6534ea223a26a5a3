"""The protocol's model: every reachable state keeps the promises, and without any one protection
one of them breaks.
"""

import re
from pathlib import Path

import pytest

from tests.model import protocol
from tests.model.protocol import World, start, steps
from tests.model.search import explore
from tests.model.worlds import MUTATIONS, WORLDS


@pytest.mark.parametrize("name", WORLDS)
def test_every_reachable_state_keeps_the_promises(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = explore(WORLDS[name])
    with capsys.disabled():
        print(f"\n{name}: {found.states:,} states, {found.edges:,} edges", end=" ")  # noqa: T201
    assert found.broken is None, "\n".join(map(str, [found.broken, *found.trace]))
    assert found.states > 500, "a model that goes nowhere proves nothing"


@pytest.mark.parametrize("protection", MUTATIONS)
def test_without_a_protection_a_promise_breaks(protection: str) -> None:
    name, broken = MUTATIONS[protection]
    found = explore(WORLDS[name]._replace(off=frozenset([protection])), only=broken)
    assert found.broken == broken
    assert found.trace


def test_every_protection_that_the_model_names_is_in_the_table() -> None:
    """A name with a slip of the pen would switch nothing off."""
    source = Path(protocol.__file__).read_text("utf-8")
    assert set(re.findall(r'"([^"]+)" (?:not )?in world\.off', source)) == set(MUTATIONS)


def test_a_world_without_faults_delivers_once() -> None:
    """The quiet way is short, and every one of its ends is one call that was taken."""
    world = World(answers=("delivered",))
    found = explore(world)
    ends = [s for s in found.parents if not [step for step, after in steps(world, s) if after != s]]
    assert found.states < 100
    assert start(world) in found.parents
    assert ends
    assert {(row.status, row.calls) for s in ends for row in s.rows if row} == {
        ("delivered", ((1, 1, 0),))
    }
