"""The clients of the fault suite: a seeded load, and what they were promised."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import aiohttp

from tests.stack import Stack

NOTIFICATIONS = "/api/v1/notifications"
CHANNELS = ("sms", "email", "push")
ANSWER_S = 10.0
AGAIN_S = 0.2


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client was told; status 0: nothing."""

    status: int
    seconds: float
    at: float
    headers: Mapping[str, str]


@dataclass
class Load:
    """Sends through any API process that is alive; an id answered with 202 is a promise."""

    product: Stack
    seed: int = 1
    accepted: set[str] = field(default_factory=set)
    batches: dict[str, int] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    _made: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def mixed(self, count: int, recipients: int | None = None) -> list[dict[str, Any]]:
        """Messages of every channel and priority, to recipients drawn from so many."""
        return [self._message(self.random.randrange(recipients or count)) for _ in range(count)]

    def _message(self, recipient: int) -> dict[str, Any]:
        channel = self.random.choice(CHANNELS)
        address = {
            "sms": f"+9051{recipient:08}",
            "email": f"u{recipient}@example.com",
            "push": f"token-{recipient}",
        }
        self._made += 1
        return {
            "channel": channel,
            "recipient": address[channel],
            "content": str(self._made),
            "priority": self.random.choice(("high", "normal", "low")),
        }

    async def batch(self, items: list[dict[str, Any]], *, persist: bool = True) -> None:
        """One batch; a client that insists repeats it under its key until it is answered."""
        await self._send(f"{NOTIFICATIONS}/batch", {"notifications": items}, persist=persist)

    async def in_batches(self, items: list[dict[str, Any]], size: int = 500) -> None:
        """All of it, batch after batch."""
        for at in range(0, len(items), size):
            await self.batch(items[at : at + size])

    async def stream(
        self, items: list[dict[str, Any]], *, per_second: float, persist: bool = False
    ) -> None:
        """One request each, begun at this pace whatever becomes of those before."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for number, item in enumerate(items):
                await asyncio.sleep(max(began + number / per_second - time.monotonic(), 0))
                tasks.create_task(self._send(NOTIFICATIONS, item, persist=persist))

    async def _send(self, path: str, body: Any, *, persist: bool) -> None:
        key = str(UUID(int=self.random.getrandbits(128), version=4))
        while True:
            answer, told = await self._request(path, body, {"Idempotency-Key": key})
            self.answers.append(answer)
            if answer.status == 202:
                self._note(told, len(body.get("notifications", ())))
                return
            assert answer.status in (0, 409, 503), (answer.status, told)
            if not persist:
                return
            await asyncio.sleep(AGAIN_S)

    async def _request(self, path: str, body: Any, headers: dict[str, str]) -> tuple[Answer, Any]:
        """Ask one process after another, as any client would whose connection was refused."""
        began = time.time()
        alive = [p for p in self.product.processes if p.role == "api" and p.alive]
        for process in self.random.sample(alive, len(alive)):
            try:
                async with self.product.http.post(
                    f"{process.url}{path}",
                    json=body,
                    headers=headers,
                    timeout=aiohttp.ClientTimeout(total=ANSWER_S),
                ) as reply:
                    told = await reply.json(content_type=None)
                    return Answer(reply.status, time.time() - began, began, reply.headers), told
            except aiohttp.ClientConnectorError:
                continue
            except (aiohttp.ClientError, TimeoutError):
                break  # it may have been accepted: no answer, no promise
        return Answer(0, time.time() - began, began, {}), None

    def _note(self, told: Any, expected: int) -> None:
        found = told.get("notifications") if "batch" in told else [told]
        assert len(found) == (expected or 1)
        self.accepted.update(item["id"] for item in found)
        if "batch" in told:
            self.batches[told["batch"]["id"]] = expected

    @property
    def statuses(self) -> Counter[int]:
        return Counter(answer.status for answer in self.answers)

    def slowest(self, share: float) -> float:
        """The time within which this share of the accepted requests was answered."""
        times = sorted(answer.seconds for answer in self.answers if answer.status == 202)
        return times[min(int(len(times) * share), len(times) - 1)]
