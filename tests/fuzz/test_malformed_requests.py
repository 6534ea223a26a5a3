"""Thousands of malformed requests at a real API process: never a 5xx, bounded memory, and it still
answers.
"""

import asyncio
import re
from collections import Counter

import aiohttp
import pytest

from tests.fuzz.conftest import PATIENCE_S, REQUESTS, Target, served
from tests.fuzz.malformed import requests
from tests.stack import until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(PATIENCE_S)]

AT_ONCE = 16
GROWTH_MIB = 50
QUIET_S = 0.5
LAST = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
"""Behind each malformed request, so that the server closes as soon as it has read all of it."""
STATUS = re.compile(rb"^HTTP/1\.[01] (\d{3}) ", re.MULTILINE)


async def test_malformed_requests_are_answered_or_closed(target: Target) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in target.headers.items())
    await send_all(target, lines, 300, seed=7)  # what a first use of each part takes, once
    before = target.resident_mib
    answers = await send_all(target, lines, REQUESTS, seed=1)
    grown = target.resident_mib - before
    print(f"\n{REQUESTS:,} requests, answers {dict(sorted(answers.items()))}, RSS {grown:+.1f} MiB")  # noqa: T201
    await until(lambda: answers_well(target), what="the API to answer")
    assert not {status for _, status in answers if status >= 500}
    assert ("smuggled", 200) not in answers
    assert grown < GROWTH_MIB


async def answers_well(target: Target) -> bool:
    async with aiohttp.ClientSession(target.process.url, headers=target.headers) as http:
        return await served(http)


async def send_all(
    target: Target, headers: str, count: int, *, seed: int
) -> Counter[tuple[str, int]]:
    """How often each status answered each kind of request; 0: none did."""
    answers: Counter[tuple[str, int]] = Counter()
    source = requests(count, headers, seed)

    async def sender() -> None:
        for kind, raw in source:
            answer = await send(target.process.port, raw)
            statuses = [int(status) for status in STATUS.findall(answer)]
            answers.update((kind, status) for status in statuses or [0])
            assert all(status < 500 for status in statuses), (kind, raw[:2000], answer[:2000])

    await asyncio.gather(*(sender() for _ in range(AT_ONCE)))
    return answers


async def send(port: int, raw: bytes) -> bytes:
    """What the server answers until it closes, or has nothing more to say.

    A good request follows the bad one.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = b""
    try:
        writer.write(raw + LAST)
        await writer.drain()
        while part := await asyncio.wait_for(reader.read(65_536), QUIET_S):
            answer += part
    except (ConnectionError, TimeoutError):
        pass
    finally:
        writer.close()
    return answer
