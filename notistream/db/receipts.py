"""Receipts: what vendors report about a message after they accepted it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from notistream.db.pool import Queryable
from notistream.db.queries import load
from notistream.db.records import storable
from notistream.domain.receipt import SUPPRESSES, ProviderReceipt, ReceiptState, outweighed, sent_as
from notistream.kafka.outbox import OutboxEntry, outbox_entries

SQL = load("receipts")


@dataclass(frozen=True, slots=True)
class Applied:
    """Whether the notification is known and was changed, and what is to be published."""

    known: bool
    moved: bool
    entries: list[OutboxEntry]


async def apply(
    db: Queryable, provider: str, receipt: ProviderReceipt, *, now: datetime
) -> Applied:
    """Store a receipt that outweighs the last, with the suppression and event it causes."""
    notification_id, chain = sent_as(receipt.key) or (None, None)
    reason = SUPPRESSES.get(receipt.state)
    row = await db.fetchrow(
        *SQL["apply"](
            provider=provider,
            message_id=storable(receipt.message_id),
            notification_id=notification_id,
            chain=chain,
            receipt=_shown(receipt, now),
            outweighed=outweighed(receipt.state),
            suppression=reason,
            address=storable(receipt.address),
        )
    )
    assert row is not None
    return Applied(row["known"], row["moved"], outbox_entries(row["entries"]))


def _shown(receipt: ProviderReceipt, now: datetime) -> dict[str, str | None]:
    at = (receipt.at or now).astimezone(UTC).isoformat().replace("+00:00", "Z")
    return {"state": receipt.state.value, "at": at, "detail": storable(receipt.detail)}


async def keep(db: Queryable, provider: str, receipt: ProviderReceipt, *, now: datetime) -> None:
    """Keep a receipt of an unknown message for a while."""
    await db.fetch(
        *SQL["keep"](
            provider=provider,
            message_id=storable(receipt.message_id),
            state=receipt.state.value,
            at=receipt.at or now,
            detail=storable(receipt.detail),
            address=storable(receipt.address),
        ),
    )


async def take_known(db: Queryable) -> list[tuple[str, ProviderReceipt]]:
    """Take early receipts whose message is recorded by now, with their providers."""
    return [
        (
            row["provider"],
            ProviderReceipt(
                message_id=row["message_id"],
                state=ReceiptState(row["state"]),
                at=row["at"],
                detail=row["detail"],
                address=row["address"],
            ),
        )
        for row in await db.fetch(*SQL["take_known"]())
    ]


async def forget(db: Queryable, *, after: timedelta) -> Sequence[tuple[str, str]]:
    """Delete early receipts that waited too long; provider and state of each."""
    return [(row["provider"], row["state"]) for row in await db.fetch(*SQL["forget"](after=after))]
