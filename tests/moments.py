"""Limits in tests: one whose window lasts, how many calls fell into a span, what the gate had
counted before each.
"""

import json
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import asyncpg

WINDOWS_S = range(600, 1000)


def lasting(count: int) -> str:
    """A limit of so many in the wall-clock window, of some ten minutes, that lasts longest from now
    on.

    Ten minutes at least, whenever it is: one of 400 windows always began a moment ago.
    """
    now = time.time()
    return f"{count}/{max(WINDOWS_S, key=lambda window: window - now % window)}s"


def most_in_any(moments: Iterable[float], span: float) -> int:
    """The most that fell into any span of so many seconds."""
    ordered = sorted(moments)
    most = begin = 0
    for end, at in enumerate(ordered):
        while ordered[begin] <= at - span:
            begin += 1
        most = max(most, end - begin + 1)
    return most


async def counted_in_windows(database_url: str, recipient: str) -> Mapping[int, Sequence[int]]:
    """What the gate had counted before each message that it let through to a recipient, by
    wall-clock window.
    """
    connection = await asyncpg.connect(database_url)
    rows = await connection.fetch(
        "SELECT step->'inputs' AS inputs FROM notifications n JOIN attempts a ON a.notification_id"
        " = n.id, jsonb_array_elements(a.steps) AS step WHERE n.recipient = $1 AND step->>'gate' ="
        " 'recipient_limit' AND step->>'verdict' = 'passed'",
        recipient,
    )
    await connection.close()
    found = defaultdict(list)
    for row in rows:
        inputs = json.loads(row["inputs"])
        found[inputs["window"]].append(inputs["current"])
    return found
