"""Receipts: providers verify and read vendors' callbacks; what these say is stored and applied."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from notistream.db import receipts
from notistream.db.pool import Database
from notistream.domain.receipt import ProviderReceipt, ReceiptState
from notistream.errors import CallbackRefused, NotFound, Unavailable, UnreadableBody
from notistream.kafka.outbox import OutboxEntry
from notistream.observability import metrics, series
from notistream.providers.api import (
    Callback,
    CallbackRefusedError,
    Provider,
    ReceivesCallbacks,
    TemporaryError,
    UnreadableCallbackError,
)

log = logging.getLogger(__name__)

KEPT = timedelta(minutes=10)


class Receipts:
    """What `/callbacks/{provider}` does, and what a task does for receipts that were early."""

    def __init__(
        self,
        database: Database,
        providers: Mapping[str, Provider],
        *,
        publish: Callable[[Sequence[OutboxEntry]], None],
    ) -> None:
        self._database = database
        self._providers = {
            name: provider
            for name, provider in providers.items()
            if isinstance(provider, ReceivesCallbacks)
        }
        self._publish = publish
        series.initialise_receipts(self._providers, ReceiptState)

    async def receive(self, provider: str, callback: Callback) -> None:
        """Verify, read and record a callback; the same one again changes nothing.

        Raises:
            NotFound: this provider is not in use, or receives none.
            CallbackRefused, UnreadableBody: it is not of the vendor; or not what the vendor
              documents.
            Unavailable: it could not be verified or recorded now; the vendor repeats it.
        """
        receiver = self._providers.get(provider)
        if receiver is None:
            raise NotFound(f"no provider in use receives callbacks as `{provider[:100]}`")
        try:
            found = await receiver.receipts(callback)
        except CallbackRefusedError as exc:
            metrics.CALLBACKS_REFUSED.labels(provider).inc()
            log.warning("callback refused", extra={"provider": provider, "reason": exc.reason})
            raise CallbackRefused(exc.reason) from None
        except UnreadableCallbackError as exc:
            raise UnreadableBody(str(exc)) from None
        except TemporaryError as exc:
            raise Unavailable(exc.reason) from None
        for receipt in found:
            await self._record(provider, receipt)

    async def _record(self, provider: str, receipt: ProviderReceipt) -> None:
        now = datetime.now(UTC)
        applied = await receipts.apply(self._database, provider, receipt, now=now)
        if not applied.known:
            await receipts.keep(self._database, provider, receipt, now=now)
        self._publish(applied.entries)
        _count(provider, receipt.state, _effect(applied))

    async def match_early(self) -> int:
        """Apply receipts whose notification is recorded by now, and forget those that are too old.

        How many.
        """
        done: list[tuple[str, ProviderReceipt, receipts.Applied]] = []
        async with self._database.transaction() as db:
            for provider, receipt in await receipts.take_known(db):
                done.append(
                    (
                        provider,
                        receipt,
                        await receipts.apply(db, provider, receipt, now=datetime.now(UTC)),
                    )
                )
        for provider, receipt, applied in done:
            self._publish(applied.entries)
            _count(provider, receipt.state, _effect(applied))
        forgotten = await receipts.forget(self._database, after=KEPT)
        for provider, state in forgotten:
            _count(provider, ReceiptState(state), "unknown")
        return len(done)


def _effect(applied: receipts.Applied) -> str:
    return "early" if not applied.known else "applied" if applied.moved else "outweighed"


def _count(provider: str, state: ReceiptState, effect: str) -> None:
    metrics.RECEIPTS.labels(provider, state.value, effect).inc()
