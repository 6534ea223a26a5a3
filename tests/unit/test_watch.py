"""The watchdog with a worker that stands still: it reports, it spares who waits for a reason, and
it gives up.
"""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from notistream.agents import watch
from notistream.app import NotiStream
from notistream.domain.notification import Priority
from notistream.errors import KafkaUnavailable
from notistream.kafka.positions import Unacknowledged
from notistream.observability import metrics
from notistream.operating.gauges import StallDetector

ASSIGNED = [SimpleNamespace(topic="n.sms.high", partition=0)]


class Worker:
    """Looks `looks` times at partitions that never move, one of them another worker's."""

    def __init__(
        self, looks: int, *, waits: bool = False, is_open: bool = True, away: bool = False
    ) -> None:
        self.settings = SimpleNamespace(topic_prefix="n", watchdog_s=10.0)
        self.lanes = {("sms", Priority.HIGH): SimpleNamespace(waits=waits, is_open=is_open)}
        self.assignor = SimpleNamespace(assigned_actives=lambda: ASSIGNED)
        self.runtime = SimpleNamespace(positions=self)
        self.looks, self.away = looks, away
        self.crashed: list[BaseException] = []

    @property
    def should_stop(self) -> bool:
        return self.looks <= 0

    async def unacknowledged(self) -> dict[tuple[str, int], Unacknowledged]:
        self.looks -= 1
        if self.away:
            raise KafkaUnavailable
        return {("sms.high", 0): Unacknowledged(1, 5), ("sms.high", 1): Unacknowledged(1, 5)}

    async def crash(self, error: BaseException) -> None:
        self.crashed.append(error)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LOOK_S", 0.0)


class Hurried(StallDetector):
    """Ten seconds pass between two looks."""

    def __init__(self) -> None:
        super().__init__(10.0)
        self.now = 0.0

    def stalled(self, spans: Any, *, waits: Any, now: float) -> Any:
        self.now += 10.0
        return super().stalled(spans, waits=waits, now=self.now)


async def watched(worker: Worker) -> Worker:
    metrics.STALLED.set(0)
    await watch.watch(cast("NotiStream", worker), Hurried())
    return worker


async def test_a_stall_is_reported_then_the_worker_gives_up() -> None:
    reported = await watched(Worker(2))
    assert reported.crashed == []
    assert metrics.STALLED._value.get() == 1, "the other partition is not this worker's"
    assert len((await watched(Worker(9))).crashed) == 1


@pytest.mark.parametrize("spared", [{"waits": True}, {"is_open": False}, {"away": True}], ids=str)
async def test_who_waits_for_a_reason_is_spared(spared: dict[str, bool]) -> None:
    worker = await watched(Worker(9, **spared))
    assert worker.crashed == []
    assert metrics.STALLED._value.get() == 0


async def test_without_progress_of_nobody_the_watch_goes_on_after_an_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    worker = Worker(3)
    worker.assignor = SimpleNamespace()  # whatever is wrong with it
    assert (await watched(worker)).crashed == []
    assert "the watchdog could not look" in caplog.text
