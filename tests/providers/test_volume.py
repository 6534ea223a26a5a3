"""Volume: nothing is lost, connections are used again, and neither sockets nor objects in memory
grow.

NOTISTREAM_TEST_VOLUME=10000 is the full measure; 500 is for every run of CI, 200 for one at a desk.
"""

import asyncio
import gc
import os
from collections import Counter
from pathlib import Path

import pytest

from notistream.domain.outcome import Accepted
from tests.providers import fcm, ses, smtp, twilio, webhook

VOLUME = int(os.environ.get("NOTISTREAM_TEST_VOLUME", "500" if os.environ.get("CI") else "200"))
AT_ONCE = 50


def sockets():
    """Open sockets of this process, both ends of each connection."""
    return sum(
        entry.is_symlink() and str(entry.readlink()).startswith("socket:")
        for entry in Path("/proc/self/fd").iterdir()
    )


@pytest.mark.parametrize(
    ("case", "most"),
    [
        (smtp.CASE, 10),
        (ses.CASE, AT_ONCE),
        (webhook.CASE, AT_ONCE),
        (fcm.CASE, AT_ONCE),
        (twilio.CASE, AT_ONCE),
    ],
)
@pytest.mark.timeout(600)
async def test_none_lost_connections_reused_nothing_grows(case, most):
    async with case.subject() as subject:
        vendor, results, sent = subject.vendor, Counter(), []

        async def sender(count):
            for _ in range(count):
                message = subject.fresh()
                sent.append(message.idempotency_key)
                results[type(await subject.provider.send(message))] += 1

        async def half():
            await asyncio.gather(*(sender(VOLUME // 2 // AT_ONCE) for _ in range(AT_ONCE)))
            server = getattr(getattr(vendor, "_serve", None), "__self__", vendor)
            # What the server keeps is not the provider's.
            for kept in ("mails", "bodies", "envelopes", "messages"):
                getattr(server, kept, []).clear()
            gc.collect()

        await half()
        opened, open_sockets, objects = vendor.opened_connections, sockets(), len(gc.get_objects())
        await half()
        grown = len(gc.get_objects()) - objects
        assert results == {Accepted: len(sent)}
        assert vendor.accepted == dict.fromkeys(sent, 1)
        assert vendor.opened_connections <= most, "connections are not used again"
        assert vendor.opened_connections == opened, "connections were opened after the first half"
        assert sockets() <= open_sockets
        assert grown < 300 + VOLUME // 4, f"{grown} objects more after {VOLUME // 2} messages"
