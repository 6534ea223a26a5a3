"""The sender of webhooks in every worker: leases due deliveries, calls, records outcomes."""

import asyncio
import logging
import os
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID

import orjson

from notistream import __version__
from notistream.db import audit_log, webhook_deliveries, webhooks
from notistream.db.group_commit import GroupCommit, by_load
from notistream.db.pool import Database
from notistream.db.webhook_deliveries import Called, Due
from notistream.domain.webhook import Disable, GiveUp, Received, Reply, RetryLater, Verdict, decide
from notistream.domain.webhook_signature import signed_headers
from notistream.errors import DatabaseUnavailable
from notistream.observability import metrics
from notistream.webhooks.client import TIMEOUT_S, Answer

log = logging.getLogger(__name__)

AT_ONCE = 512  # more than all endpoints of a tenant can take
PER_ENDPOINT = 8
LEASE = timedelta(seconds=3 * TIMEOUT_S)
LOOK_S = 1.0
GATHER_S = 0.004
RECORD_RETRY_S = 0.5
DRAIN_S = 5.0


class Client(Protocol):
    """What calls."""

    async def post(self, url: str, *, body: bytes, headers: dict[str, str]) -> Answer: ...


class WebhookSender:
    """Makes at most AT_ONCE calls at a time, and PER_ENDPOINT to one endpoint.

    Any number of workers may run one.
    """

    def __init__(self, database: Database, client: Client) -> None:
        self._database = database
        self._client = client
        self._recorded: GroupCommit[Called, bool] = GroupCommit(
            self._record, max_size=500, pause=by_load
        )
        self._calls: set[asyncio.Task[None]] = set()
        self._in_flight: Counter[UUID] = Counter()
        self._wake = asyncio.Event()
        self._took = False

    def wake(self) -> None:
        """Look again now: something may be due."""
        self._wake.set()

    async def rest(self) -> None:
        """Wait until something may be due, at most a second.

        While calls are open, wait a few milliseconds more, so that due rows gather.
        """
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), LOOK_S)
        if self._calls:
            await asyncio.sleep(GATHER_S)

    async def step(self) -> None:
        """Lease what is due, up to the free places, and start the calls."""
        self._wake.clear()
        room = AT_ONCE - len(self._calls)
        if room <= 0:
            return
        taken = await webhook_deliveries.take(
            self._database,
            limit=room,
            in_flight=self._in_flight,
            per_endpoint=PER_ENDPOINT,
            lease=LEASE,
        )
        self._took = bool(taken)
        for due in taken:
            self._begin(due)

    def _begin(self, due: Due) -> None:
        metrics.WEBHOOK_REPEATED.inc(due.repeated)
        self._in_flight[due.endpoint_id] += 1
        task = asyncio.get_running_loop().create_task(self._deliver(due))
        self._calls.add(task)
        task.add_done_callback(lambda done: self._done(done, due))

    def _done(self, task: "asyncio.Task[None]", due: Due) -> None:
        self._calls.discard(task)
        self._in_flight[due.endpoint_id] -= 1
        if not self._in_flight[due.endpoint_id]:
            del self._in_flight[due.endpoint_id]
        if not task.cancelled() and task.exception():
            log.error(
                "webhook task failed",
                exc_info=task.exception(),
                extra={"endpoint": str(due.endpoint_id)},
            )
        if self._took:  # there may be more than there was room for
            self.wake()

    async def _deliver(self, due: Due) -> None:
        until = time.monotonic() + LEASE.total_seconds()
        began = datetime.now(UTC)
        body = body_of(due)
        answer = await self._client.post(
            due.url, body=body, headers=headers_of(due, body, at_s=int(time.time()))
        )
        verdict = decide(
            answer.result, attempts=due.attempts, failing_since=due.failing_since, now=due.now
        )
        metrics.WEBHOOK_SECONDS.observe(answer.duration_ms / 1000)
        if await self._record_until_lease_ends(called(due, verdict, answer, began), until):
            metrics.WEBHOOK_CALLS.labels(OUTCOMES[type(verdict.delivery)]).inc()
        if verdict.disable:
            with suppress(DatabaseUnavailable):  # the next failure will do it
                await self._disable(due, verdict.disable)

    async def _record_until_lease_ends(self, call: Called, until: float) -> bool:
        """Retry the record until the lease ends; a call that is not recorded is repeated."""
        while time.monotonic() < until:
            try:
                return await self._recorded.submit(call)
            except DatabaseUnavailable:
                await asyncio.sleep(RECORD_RETRY_S)
        return False

    async def _record(self, calls: Sequence[Called]) -> Sequence[bool]:
        recorded = await webhook_deliveries.finish(self._database, calls)
        return [call.id in recorded for call in calls]

    async def _disable(self, due: Due, disable: Disable) -> None:
        async with self._database.transaction() as db:
            disabled = await webhooks.disable(
                db, due.endpoint_id, disable.reason, failing_since=disable.failing_since
            )
            if disabled:
                await audit_log.record(
                    db,
                    audit_log.WORKER,
                    "webhook.disable",
                    str(due.endpoint_id),
                    {"tenant_id": str(due.tenant_id), "reason": disable.reason},
                )
        if disabled:
            metrics.WEBHOOK_DISABLED.inc()
            log.warning(
                "webhook endpoint switched off",
                extra={
                    "endpoint": str(due.endpoint_id),
                    "tenant": str(due.tenant_id),
                    "reason": disable.reason,
                },
            )

    async def measure(self) -> None:
        """Refresh the gauges."""
        waiting, oldest_s = await webhook_deliveries.backlog(self._database)
        metrics.WEBHOOK_WAITING.set(waiting)
        metrics.WEBHOOK_OVERDUE.set(oldest_s)

    async def close(self) -> None:
        """Give open calls a few seconds to end; another worker repeats the rest."""
        if self._calls:
            _, left = await asyncio.wait(self._calls, timeout=DRAIN_S)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)


OUTCOMES = {Received: "delivered", RetryLater: "retrying", GiveUp: "failed"}


def body_of(due: Due) -> bytes:
    """Return the body of a call; every attempt sends the same."""
    return orjson.dumps(
        {"type": due.type, "timestamp": due.at, "data": due.data}, option=orjson.OPT_UTC_Z
    )


def headers_of(due: Due, body: bytes, *, at_s: int) -> dict[str, str]:
    """Return the headers of a call, signed with every live secret.

    The trace is that of the event.
    """
    secrets = [due.secret, *([due.old_secret] if due.old_secret else [])]
    return {
        **signed_headers(str(due.id), body, at_s=at_s, secrets=secrets),
        "Content-Type": "application/json",
        "User-Agent": f"NotiStream/{__version__}",
        "traceparent": f"00-{due.event_id.hex}-{os.urandom(8).hex()}-00",
    }


def called(due: Due, verdict: Verdict, answer: Answer, began: datetime) -> Called:
    """The record of a call."""
    status, delay_s, error = _end(verdict)
    reply = answer.result if isinstance(answer.result, Reply) else None
    return Called(
        id=due.id,
        lease=due.lease,
        status=status,
        delay_s=delay_s,
        error=error,
        response_status=reply.status if reply else None,
        call={
            "number": due.attempts,
            "at": began,
            "duration_ms": round(answer.duration_ms, 1),
            "error": error,
            "status": reply.status if reply else None,
            "response": reply.text if reply else None,
        },
    )


def _end(verdict: Verdict) -> tuple[str, float | None, str | None]:
    match verdict.delivery:
        case Received():
            return "delivered", None, None
        case RetryLater(delay_s, reason):
            return "pending", delay_s, reason
        case GiveUp(reason):
            return "failed", None, reason
