"""The product with a clock that is wrong by so many seconds: `python -m tests.faults.clock 600
worker`.

The clock is put in place before anything of the product is imported. What libraries in C and Rust
ask the system for themselves stays right; what waits goes by the monotonic clock, as everywhere.
"""

import datetime as dt
import sys
import time
from typing import Any


def put_wrong(seconds: float) -> None:
    """Make `time.time` and `datetime.now` of this process wrong."""
    now, now_ns, right = time.time, time.time_ns, dt.datetime

    class Same(type):
        def __instancecheck__(cls, other: object) -> bool:
            return isinstance(other, right)

    class Wrong(right, metaclass=Same):
        def __new__(cls, *args: Any, **options: Any) -> Any:
            return right(
                *args, **options
            )  # what is made of it is a plain one: orjson takes no other

        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Any:
            return right.fromtimestamp(time.time(), tz)

        @classmethod
        def utcnow(cls) -> Any:
            return right.fromtimestamp(time.time(), dt.UTC).replace(tzinfo=None)

    time.time = lambda: now() + seconds
    time.time_ns = lambda: now_ns() + int(seconds * 1e9)
    dt.datetime = Wrong  # type: ignore[misc]


if __name__ == "__main__":
    put_wrong(float(sys.argv.pop(1)))
    from notistream.commands import cli
    from tests.faults.mutants import switch_off

    switch_off()
    cli()
