"""How large a run is: quick in `make test`, full in `make faults`, a share of full where time is
short.
"""

import os
from typing import TypeVar

import pytest

T = TypeVar("T")

FULL = os.environ.get("FAULTS") == "full"
SHARE = float(os.environ.get("FAULTS_SHARE", "1"))
"""Of the full counts and spans; the table says how many messages it was in the end."""
PATIENCE_S = float(os.environ.get("FAULTS_PATIENCE_S", "40"))
"""How long nothing at all may move while something is left to do."""
LIMIT_S = 2400 if FULL else 400


in_full = pytest.mark.skipif(not FULL, reason="only in the full run: make faults")


def sized(quick: T, full: T) -> T:
    """The size of this run: settings, which are words, are never scaled."""
    if not FULL:
        return quick
    if isinstance(full, int | float) and isinstance(quick, int | float):
        return type(full)(max(full * SHARE, quick))
    return full
