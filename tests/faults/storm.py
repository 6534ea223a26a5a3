"""A storm: faults drawn from a seed, the same for the same seed, one after another and on top of
each other.
"""

import asyncio
import random
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from tests.faults.site import Site
from tests.faults.sizes import FULL


@dataclass(frozen=True, slots=True)
class Gust:
    """One fault: when it begins, how long until it is repaired, and which of several it hits."""

    at_s: float
    fault: str
    target: int
    for_s: float

    def __str__(self) -> str:
        return f"{self.at_s:6.1f} s  {self.fault} {self.target} for {self.for_s:.1f} s"


def forecast(seed: int, seconds: float) -> list[Gust]:
    """Every fault comes as often as the others.

    Only their order, moments and lengths are left to the seed.
    """
    chance = random.Random(seed)
    pause, longest = (4.0, 20.0) if FULL else (1.2, 3.0)
    found: list[Gust] = []
    bag: list[str] = []
    at_s = pause
    while at_s < seconds:
        if not bag:
            bag = sorted(FAULTS)
            chance.shuffle(bag)
        found.append(Gust(at_s, bag.pop(), chance.randrange(2), chance.uniform(0.5, longest)))
        at_s += chance.uniform(0.5, 1.5) * pause
    return found


class Storm:
    """Lets a forecast happen to a site.

    A thing that is hit already is hit again when it has been repaired.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._busy: dict[str, asyncio.Lock] = {}
        self.happened: list[str] = []

    async def rage(self, gusts: list[Gust]) -> None:
        began = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for gust in gusts:
                await asyncio.sleep(max(began + gust.at_s - time.monotonic(), 0))
                tasks.create_task(self._hit(gust))
        self._site.moment = time.time()

    async def _hit(self, gust: Gust) -> None:
        kind, work = FAULTS[gust.fault]
        hit = f"{kind} {gust.target if kind in ('api', 'worker') else ''}"
        async with self._busy.setdefault(hit, asyncio.Lock()):
            self.happened.append(gust.fault)
            await work(self._site, gust)


async def _replaced(site: Site, role: str, gust: Gust, sig: int) -> None:
    process = sorted(
        site.alive(role), key=lambda p: p.env.get("NOTISTREAM_WORKER_SLOT", p.log.name)
    )[gust.target]
    await site.kill(process, sig)
    await asyncio.sleep(min(gust.for_s, 2.0))
    await site.replace(process)


async def kill_worker(site: Site, gust: Gust) -> None:
    await _replaced(site, "worker", gust, signal.SIGKILL)


async def stop_worker(site: Site, gust: Gust) -> None:
    await _replaced(site, "worker", gust, signal.SIGTERM)


async def freeze_worker(site: Site, gust: Gust) -> None:
    process = next(
        p for p in site.alive("worker") if p.env["NOTISTREAM_WORKER_SLOT"] == str(gust.target)
    )
    assert process.child is not None
    process.child.send_signal(signal.SIGSTOP)
    await asyncio.sleep(gust.for_s)
    process.child.send_signal(signal.SIGCONT)


async def kill_api(site: Site, gust: Gust) -> None:
    process = site.alive("api")[0]
    await site.kill(process)
    await site.replace(process)


async def kill_kafka(site: Site, gust: Gust) -> None:
    await asyncio.to_thread(site.services.kafka.kill)
    await asyncio.sleep(gust.for_s)
    await asyncio.to_thread(site.services.kafka.start)


async def restart_postgres(site: Site, gust: Gust) -> None:
    await asyncio.to_thread(site.services.postgres.stop, "immediate")
    await asyncio.sleep(gust.for_s)
    await asyncio.to_thread(site.services.postgres.start)


async def receiver_away(site: Site, gust: Gust) -> None:
    site.ledger.answer = lambda _call: (503, {})
    await asyncio.sleep(gust.for_s)
    site.ledger.answer = lambda _call: (202, {})


async def receiver_hangs_up(site: Site, gust: Gust) -> None:
    chance = random.Random(gust.at_s)
    site.ledger.cut(lambda _call: chance.random() < 0.1)
    await asyncio.sleep(gust.for_s)
    site.ledger.release()


async def receiver_slow(site: Site, gust: Gust) -> None:
    site.ledger.delay_s = 0.3
    await asyncio.sleep(gust.for_s)
    site.ledger.delay_s = 0.0


Fault = Callable[[Site, Gust], Awaitable[None]]
FAULTS: Mapping[str, tuple[str, Fault]] = {
    "kill worker": ("worker", kill_worker),
    "stop worker": ("worker", stop_worker),
    "freeze worker": ("worker", freeze_worker),
    "kill API": ("api", kill_api),
    "kill Kafka": ("kafka", kill_kafka),
    "restart PostgreSQL": ("postgres", restart_postgres),
    "receiver answers 503": ("answer", receiver_away),
    "receiver hangs up": ("cut", receiver_hangs_up),
    "receiver is slow": ("delay", receiver_slow),
}
