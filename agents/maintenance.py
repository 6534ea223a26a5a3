"""Background tasks of every worker: scheduler, lease sweeper, outbox poll, lanes, gauges.

There is no leader.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

from notistream.app import NotiStream
from notistream.db import breakers, channel_minutes, pauses
from notistream.db.breakers import OpenBreaker
from notistream.errors import Unavailable
from notistream.observability import metrics

log = logging.getLogger(__name__)

SCHEDULER_S = 0.5
LEASES_S = 1.0
OUTBOX_S = 1.0
LANES_S = 1.0
RELEASE_S = 0.1
QUIET_S = 0.5
FULL = 100
OPERATORS_S = 1.0
GAUGES_S = 5.0
MINUTES_S = 3.0
SLOT_S = 5.0
SLOT_TRIES = 10
KEYS_S = 600.0
RETENTION_S = 3600.0
AUDIT_S = 5.0
REPLAYS_S = 0.5
RECEIPTS_S = 2.0


def declare(app: NotiStream) -> None:
    """Declare the tasks, before the app starts."""
    runtime, control = app.runtime, OperatorControl(app)
    database = runtime.database
    tasks: dict[str, tuple[float, Callable[[], Awaitable[object]]]] = {
        "scheduler": (SCHEDULER_S, runtime.upkeep.queue_due),
        "leases": (LEASES_S, runtime.upkeep.end_leases),
        "outbox": (OUTBOX_S, runtime.upkeep.republish),
        "idempotency": (KEYS_S, runtime.upkeep.forget_keys),
        "gauges": (GAUGES_S, runtime.gauges.measure),
        "slot": (SLOT_S, partial(keep_slot, app)),
        "release": (RELEASE_S, partial(release, app)),
        "operators": (OPERATORS_S, control.step),
        "lanes": (LANES_S, partial(park_overdue, app)),
        "audit": (AUDIT_S, partial(audit, app)),
        "minutes": (MINUTES_S, partial(channel_minutes.sample, database)),
        "minutes_retention": (KEYS_S, partial(channel_minutes.forget, database)),
        "webhook_gauges": (GAUGES_S, runtime.webhook_sender.measure),
        "retention": (RETENTION_S, runtime.retention.keep),
        "receipts": (RECEIPTS_S, runtime.receipts.match_early),
        "replays": (REPLAYS_S, runtime.range_replays.step),
    }
    for name, (every_s, work) in tasks.items():
        _declare(app, name, every_s, work)


class OperatorControl:
    """Applies what operators have paused, and reports which breakers are not closed."""

    def __init__(self, app: NotiStream) -> None:
        self._runtime = app.runtime
        self._reported = True  # by a former process of this slot, perhaps

    async def step(self) -> None:
        """Look once."""
        runtime = self._runtime
        paused = await pauses.current(runtime.database)
        runtime.admission.pause({(p.channel, p.provider): f"paused: {p}" for p in paused})
        await runtime.pauses.catch_up(paused)
        troubled = [
            OpenBreaker(channel, provider, breaker.state.value, breaker.reason, breaker.blocked_s)
            for channel, provider, breaker in runtime.admission.troubled()
        ]
        if troubled or self._reported:
            await breakers.replace(runtime.database, runtime.settings.worker_slot, troubled)
        self._reported = bool(troubled)


def _declare(
    app: NotiStream, name: str, every_s: float, work: Callable[[], Awaitable[object]]
) -> None:
    async def task() -> None:
        quiet = 0
        while not app.should_stop:
            done = await one_round(name, work)
            quiet = 0 if done else quiet + 1
            await asyncio.sleep(0 if done >= FULL else pause_s(every_s, quiet))

    task.__name__ = f"upkeep_{name}"
    app.task(task)


def pause_s(every_s: float, quiet: int) -> float:
    """Seconds to the next round: longer after each that found nothing, up to QUIET_S."""
    return max(every_s, min(QUIET_S, every_s * quiet / 10))


async def one_round(name: str, work: Callable[[], Awaitable[object]]) -> int:
    """Run one round; how much it did, where it counts. A failure is counted, never fatal."""
    try:
        done = await work()
    except Unavailable:
        metrics.TASK_FAILURES.labels(name).inc()
        return 0
    except Exception:
        metrics.TASK_FAILURES.labels(name).inc()
        log.exception("background task failed", extra={"task": name})
        return 0
    return done if isinstance(done, int) else 0


async def release(app: NotiStream) -> int:
    """Publish what was held back, as far as the lanes have room again; 1 where anything was."""
    entries = await app.runtime.windows.release()
    app.runtime.relay.publish_released(entries)
    return min(len(entries), 1)


async def park_overdue(app: NotiStream) -> None:
    """Park what waits too long in the lanes."""
    for lane in app.lanes.values():
        lane.park_overdue()


async def audit(app: NotiStream) -> None:
    """Audit when the last one, by any worker, is long enough ago."""
    settings = app.settings
    await app.runtime.audit.keep(
        every=timedelta(seconds=settings.audit_interval_s), repair=settings.audit_repair
    )


async def keep_slot(app: NotiStream) -> None:
    """Hold the slot's lock; when another process has taken it over, this one must not go on."""
    # After a broken connection the server may hold the old lock for a moment.
    for _ in range(SLOT_TRIES):
        if await app.slot.take():
            return
        await asyncio.sleep(1)
    await app.crash(
        RuntimeError(f"worker slot {app.settings.worker_slot} was taken by another process")
    )
