"""The product with a point at which it dies, as `kill -9` would have it: `python -m
tests.faults.crash POINT N worker`.

The point is put around a function from outside; nothing of this is in the product.
"""

import os
import signal
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

from tests.faults.mutants import switch_off


class Fuse:
    """Ends the process at the n-th time."""

    def __init__(self, nth: int) -> None:
        self._left = nth

    def blow(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def before(owner: Any, name: str, fuse: Fuse) -> None:
    """Die instead of the call."""
    call = getattr(owner, name)

    @wraps(call)
    def dying(*args: Any, **options: Any) -> Any:
        fuse.blow()
        return call(*args, **options)

    setattr(owner, name, dying)


def after(owner: Any, name: str, fuse: Fuse) -> None:
    """Die when the call has been answered, before anybody sees the answer."""
    call = getattr(owner, name)

    @wraps(call)
    async def dying(*args: Any, **options: Any) -> Any:
        answer = await call(*args, **options)
        fuse.blow()
        return answer

    setattr(owner, name, dying)


def committed_not_produced(fuse: Fuse) -> None:
    from notistream.publishing.relay import Relay

    before(Relay, "publish", fuse)


def produced_not_marked(fuse: Fuse) -> None:
    from notistream.db import outbox

    before(outbox, "delete", fuse)


def claimed_not_acknowledged(fuse: Fuse) -> None:
    from notistream.recording.ledger import DeliveryLedger

    after(DeliveryLedger, "claim", fuse)


def claimed_not_sent(fuse: Fuse) -> None:
    from notistream.providers.registry import Providers

    before(Providers, "send", fuse)


def sent_not_recorded(fuse: Fuse) -> None:
    from notistream.providers.registry import Providers

    after(Providers, "send", fuse)


POINTS: dict[str, Callable[[Fuse], None]] = {
    point.__name__: point
    for point in (
        committed_not_produced,
        produced_not_marked,
        claimed_not_acknowledged,
        claimed_not_sent,
        sent_not_recorded,
    )
}

if __name__ == "__main__":
    from notistream.commands import cli

    point, nth = sys.argv[1:3]
    del sys.argv[1:3]
    switch_off()
    POINTS[point](Fuse(int(nth)))
    cli()
