"""Erasing a recipient: personal data leaves every table in small steps.

Statuses, counts and opt-outs stay.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

import orjson

from notistream.db import audit_log, erasure
from notistream.db.erasure import Addresses, Known
from notistream.db.pool import Database, Queryable
from notistream.domain.notification import CHANNELS, AddressKind
from notistream.errors import NotFound
from notistream.kafka.outbox import OutboxEntry

log = logging.getLogger(__name__)
LOOKED_AT_AT_ONCE = 5000
ERASED_AT_ONCE = 500
ANSWERS_AT_ONCE = 200
# Shorter words would match records of other recipients.
SHORTEST_WORD = 6

Eraser = Callable[[Queryable, UUID, str], Awaitable[int]]
"""Erases a recipient's rows in another part (tenant, recipient id) and returns how many."""


@dataclass(frozen=True, slots=True)
class Erased:
    """How many notifications were erased, and how many of them were cancelled while waiting."""

    notifications: int
    cancelled: int


class Erasure:
    """Erases recipients; `also` are the erasers of tables that other parts own."""

    def __init__(
        self,
        database: Database,
        *,
        publish: Callable[[Sequence[OutboxEntry]], None],
        also: Sequence[Eraser] = (),
    ) -> None:
        self._database = database
        self._publish = publish
        self._also = also

    async def erase(
        self, tenant_id: UUID, recipient_id: str, *, actor: str | None = None
    ) -> Erased:
        """Erase a recipient; `actor` is the operator who does it, if any.

        The recipient's own row goes last, so the call can be repeated after a crash.

        Raises:
            NotFound: there is nothing of this recipient.
        """
        known = await erasure.known(self._database, tenant_id, recipient_id)
        addresses = addresses_of(recipient_id, known)
        erased = await self._notifications(tenant_id, recipient_id, addresses)
        others = await self._elsewhere(tenant_id, recipient_id, addresses)
        if not known.stored and not erased.notifications and not others:
            raise NotFound(f"there is no recipient {recipient_id!r}")
        async with self._database.transaction() as db:
            await erasure.keep_suppressions(db, tenant_id, addresses, opt_outs(known, addresses))
            await erasure.forget(db, tenant_id, recipient_id)
            await audit_log.record(
                db,
                actor or str(tenant_id),
                "recipient.erase",
                "a recipient",
                {
                    "tenant_id": str(tenant_id),
                    "notifications": erased.notifications,
                    "cancelled": erased.cancelled,
                },
            )
        log.info(
            "recipient erased",
            extra={
                "tenant_id": str(tenant_id),
                "notifications": erased.notifications,
                "cancelled": erased.cancelled,
            },
        )
        return erased

    async def _notifications(
        self, tenant_id: UUID, recipient_id: str, addresses: Addresses
    ) -> Erased:
        tombstone = f"erased:{uuid4()}"
        erased = cancelled = 0
        after: UUID | None = None
        while True:
            ids, after = await erasure.page(
                self._database,
                tenant_id,
                recipient_id,
                addresses,
                after=after,
                size=LOOKED_AT_AT_ONCE,
            )
            for at in range(0, len(ids), ERASED_AT_ONCE):
                part = await erasure.erase(
                    self._database, tenant_id, ids[at : at + ERASED_AT_ONCE], tombstone=tombstone
                )
                self._publish(part.entries)
                erased, cancelled = erased + part.notifications, cancelled + part.cancelled
            if after is None:
                return Erased(erased, cancelled)

    async def _elsewhere(self, tenant_id: UUID, recipient_id: str, addresses: Addresses) -> int:
        """Erase undecodable records, stored answers and the rows of other parts."""
        names = list({recipient_id, *(address for _, address in addresses)})
        words = [
            address
            for _, address in addresses
            if len(address) >= SHORTEST_WORD and address != recipient_id
        ]
        count = await erasure.erase_records(self._database, tenant_id, names, words)
        count += await erasure.forget_sandbox(self._database, tenant_id, recipient_id, names)
        quoted = [orjson.dumps(name).decode() for name in names]
        after: tuple[str, str] | None = None
        while True:
            gone, after = await erasure.forget_answers(
                self._database, tenant_id, quoted, after=after, size=ANSWERS_AT_ONCE
            )
            count += gone
            if after is None:
                break
        for eraser in self._also:
            count += await eraser(self._database, tenant_id, recipient_id)
        return count


def addresses_of(recipient_id: str, known: Known) -> Addresses:
    """Return the recipient's addresses, by channel."""
    contacts = {
        AddressKind.EMAIL: [known.email],
        AddressKind.PHONE: [known.phone],
        AddressKind.DEVICE: known.tokens,
        AddressKind.RECIPIENT_ID: [recipient_id],
    }
    return [
        (channel.name, address)
        for channel in CHANNELS.values()
        for address in contacts[channel.address]
        if address
    ]


def opt_outs(known: Known, addresses: Addresses) -> Sequence[tuple[str, str, str]]:
    """Return what the recipient turned off, as (channel, address, category); this is kept."""
    categories = [category for category, wanted in known.categories.items() if not wanted]
    off = {name for name, wishes in known.channels.items() if not wishes.get("enabled", True)}
    return [
        (channel, address, category)
        for channel, address in addresses
        for category in ("", *categories)
        if category or channel in off
    ]
