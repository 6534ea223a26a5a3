"""Watches this process: whether its partitions advance, and how late its event loop runs."""

import asyncio
import logging
from collections.abc import Mapping

from notistream.app import NotiStream
from notistream.errors import KafkaUnavailable
from notistream.kafka.positions import Place, Unacknowledged
from notistream.kafka.topic_names import lane_topic
from notistream.observability import metrics
from notistream.operating.gauges import StallDetector

log = logging.getLogger(__name__)
LOOK_S = 5.0
TICK_S, TICKS = 0.2, 25
GIVE_UP = 2


def declare(app: NotiStream) -> None:
    """Declare both tasks: every role watches its loop, a worker its partitions too."""

    async def watch_partitions() -> None:
        if app.settings.watchdog_s and app.role == "worker":
            await watch(app, StallDetector(app.settings.watchdog_s))

    async def watch_loop() -> None:
        await measure_loop()

    app.task(watch_partitions)
    app.task(watch_loop)


async def watch(app: NotiStream, progress: StallDetector) -> None:
    """Report partitions of this worker that stand still; end the process if that lasts."""
    loop = asyncio.get_running_loop()
    while not app.should_stop:
        await asyncio.sleep(LOOK_S)
        try:
            spans = own(app, await app.runtime.positions.unacknowledged())
        except KafkaUnavailable:
            continue  # no worker advances without it, and a restart would not help
        except Exception:
            log.exception("the watchdog could not look")
            continue
        waits = [
            lane_topic(c, p) for (c, p), lane in app.lanes.items() if lane.waits or not lane.is_open
        ]
        stalled = progress.stalled(spans, waits=waits, now=loop.time())
        metrics.STALLED.set(len(stalled))
        for place, seconds in stalled.items():
            _report(place, spans[place], seconds)
        if any(seconds >= GIVE_UP * app.settings.watchdog_s for seconds in stalled.values()):
            metrics.WATCHDOG_RESTARTS.inc()
            await app.crash(
                RuntimeError("a partition was stalled; this process ends, to be started again")
            )
            return


def _report(place: Place, span: Unacknowledged, seconds: float) -> None:
    topic, partition = place
    fields = {"topic": topic, "partition": partition, "seconds": round(seconds)}
    log.error("partition stalled", extra={**fields, "lag": span.end - span.begin})


def own(app: NotiStream, spans: Mapping[Place, Unacknowledged]) -> Mapping[Place, Unacknowledged]:
    """Those of the partitions that this worker has been assigned."""
    prefix = f"{app.settings.topic_prefix}."
    assigned = {
        (tp.topic.removeprefix(prefix), tp.partition) for tp in app.assignor.assigned_actives()
    }
    return {place: span for place, span in spans.items() if place in assigned}


async def measure_loop() -> None:
    """Measure how late the loop was at worst, every five seconds, and how many tasks it has."""
    loop = asyncio.get_running_loop()
    metrics.LOOP_TASKS.set_function(lambda: len(asyncio.all_tasks(loop)))
    while True:
        worst = 0.0
        for _ in range(TICKS):
            due = loop.time() + TICK_S
            await asyncio.sleep(TICK_S)
            worst = max(worst, loop.time() - due)
        metrics.LOOP_LAG.set(worst)
