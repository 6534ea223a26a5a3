"""Tables of cases that one test walks through."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def case(name: object) -> Iterator[None]:
    """Whatever fails in the block says in which case of the table it did."""
    try:
        yield
    except BaseException as exc:
        exc.add_note(f"In the case: {name}")
        raise
