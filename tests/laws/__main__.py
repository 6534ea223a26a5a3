"""`python -m tests.laws`: checks every law, prints every fault, and fails if there is one."""

import sys
import time
from collections.abc import Sequence

from tests.laws import (
    form,
    kubernetes,
    migrations,
    observability,
    openapi,
    pages,
    reference,
    shipped,
)
from tests.laws.tree import Law, Tree

ROOMS = (form, pages, reference, openapi, observability, kubernetes, shipped, migrations)
LAWS: tuple[Law, ...] = tuple(law for room in ROOMS for law in room.LAWS)


def main(names: Sequence[str] = ()) -> int:
    """Check the laws of these names, or all; how many faults there are."""
    tree, began, faults = Tree(), time.monotonic(), 0
    chosen = [law for law in LAWS if not names or law.__name__ in names]
    for law in chosen:
        found = list(law(tree))
        faults += len(found)
        for fault in found:
            print(f"{fault} ({law.__name__})")  # noqa: T201 - what `make lint` shows
    measured = ", ".join(f"{name} {found:g}" for name, (found, _) in form.sizes(tree).items())
    seconds = time.monotonic() - began
    print(f"{len(chosen)} laws, {faults} faults in {seconds:.1f} s; {measured}")  # noqa: T201
    return faults


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
