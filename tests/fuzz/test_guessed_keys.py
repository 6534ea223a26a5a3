"""Thousands of guessed keys from one address: refused, then locked out.

It and everybody else go on with good keys.
"""

import asyncio
import os
import secrets
import time
from collections import Counter

import aiohttp
import pytest

from notistream.access.authentication import new_key
from notistream.access.failed_logins import ALLOWED, SPAN_S
from tests.fuzz.conftest import CREATE, GOOD, PATIENCE_S, Target, served

pytestmark = [pytest.mark.integration, pytest.mark.timeout(PATIENCE_S)]

GUESSES = int(os.environ.get("FUZZ_GUESSES", "1000"))
"""`make fuzz` takes 20,000."""
AT_ONCE = 16
GROWTH_MIB = 30
STRANGER = "127.0.0.2"
CREDENTIALS = (
    lambda: {"X-API-Key": new_key("live")[0]},
    lambda: {"X-API-Key": secrets.token_hex(200)},
    lambda: {"X-Admin-Token": secrets.token_urlsafe(32)},
    lambda: {"X-API-Key": "ns_live_"},
)


async def test_guessed_keys_are_locked_out_and_good_ones_work(target: Target) -> None:
    async with (
        aiohttp.ClientSession(
            target.process.url,
            connector=aiohttp.TCPConnector(local_addr=(STRANGER, 0), limit=AT_ONCE),
        ) as stranger,
        aiohttp.ClientSession(target.process.url, headers=target.headers) as http,
    ):
        seen: Counter[int] = Counter()
        tried: list[str] = []

        async def guess(numbers: range) -> None:
            for number in numbers:
                path = (
                    "/internal/tenants" if number % 4 == 2 else CREATE
                )  # where a token of an operator belongs
                headers = CREDENTIALS[number % 4]()
                tried.extend(secret for secret in headers.values() if len(secret) > len("ns_live_"))
                async with stranger.post(path, json=GOOD, headers=headers) as answer:
                    seen[answer.status] += 1
                    assert (answer.status == 429) == ("Retry-After" in answer.headers)

        await guess(range(AT_ONCE))  # connections and caches are there
        before, began = target.resident_mib, time.monotonic()
        await asyncio.gather(*(guess(range(AT_ONCE + n, GUESSES, AT_ONCE)) for n in range(AT_ONCE)))
        windows = 2 + int((time.monotonic() - began) / SPAN_S)
        assert seen.keys() == {401, 429}
        assert seen.total() == GUESSES
        assert ALLOWED <= seen[401] <= ALLOWED * windows
        assert target.resident_mib - before < GROWTH_MIB
        assert await served(stranger, target.headers)
        assert await served(http)
        assert (
            await target.product.metric(target.process, "notistream_api_guesses_locked_out_total")
            == seen[429]
        )
        log = target.process.log.read_text()
        assert not [secret for secret in tried[::20] if secret in log]
