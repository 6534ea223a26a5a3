"""Provider tokens in memory: what `take_tokens` of the database answers, with a way there and back
that takes time.
"""

import asyncio
from collections import Counter
from math import floor

from notistream.delivery.ports import TokenGrant
from tests.core.virtual_time import now

SLOT_S = 0.1


def slot_of(at):
    return floor(at * 10 + 1e-6)


class TokenSlots:
    """Leases tokens by slots of the loop's clock; `there_s` and `back_s` are the ways.

    `error` is raised instead.
    """

    def __init__(self, *, way_s=0.001):
        self.there_s = self.back_s = lambda: way_s
        self.error = None
        self.exhausted = False
        self.used = Counter()
        self.asked = []

    async def lease(self, bucket, rate, wanted, ahead, after_s):
        self.asked.append(wanted)
        await asyncio.sleep(self.there_s())
        grants = (
            []
            if self.error or self.exhausted
            else list(self._grants(bucket, rate, wanted, ahead, after_s))
        )
        await asyncio.sleep(self.back_s())
        if self.error:
            raise self.error
        return grants

    def _grants(self, bucket, rate, wanted, ahead, after_s):
        at = now()
        first = slot_of(at + after_s)
        for slot in range(first, first + ahead + 1):
            share = floor((slot + 1) * rate / 10) - floor(slot * rate / 10)
            left = max(share - self.used[bucket, slot], 0)
            taken = min(wanted, left if slot == first else (left + 1) // 2)
            if taken:
                self.used[bucket, slot] += taken
                wanted -= taken
                yield TokenGrant(max(slot / 10 - at, 0), (slot + 1) / 10 - at, taken)
