"""Dead addresses that providers report: nothing is sent to them again, and an event says so."""

import logging
from collections.abc import Sequence

from notistream.db import device_tokens, suppressions
from notistream.db.device_tokens import DeadTokens
from notistream.db.pool import Database
from notistream.db.records import storable
from notistream.db.suppressions import Suppression
from notistream.domain.notification import CHANNELS, AddressKind, Claimed
from notistream.domain.outcome import Finish
from notistream.domain.suppression import SuppressionReason
from notistream.kafka.outbox import OutboxEntry

log = logging.getLogger(__name__)


async def retire(database: Database, claimed: Claimed, end: Finish) -> Sequence[OutboxEntry]:
    """Drop dead device tokens, and suppress other addresses; what is to be published.

    Repeating it is harmless.

    Raises:
        DatabaseUnavailable: the next message to the address will find it dead again.
    """
    note = storable(end.error or "refused by the provider")
    if CHANNELS[claimed.channel].address is AddressKind.DEVICE:
        entries = await device_tokens.deactivate(
            database,
            claimed.tenant_id,
            DeadTokens(
                tokens=end.dead_addresses,
                before=claimed.claimed_at,
                suppress=not claimed.devices,
                note=note,
                notification_id=claimed.id,
            ),
        )
    else:
        entries = []
        for address in end.dead_addresses:
            refused = Suppression(
                channel=claimed.channel,
                address=address,
                reason=SuppressionReason.BOUNCE,
                note=note,
            )
            await suppressions.add(database, claimed.tenant_id, refused)
    log.info(
        "dead addresses retired",
        extra={
            "notification_id": str(claimed.id),
            "channel": claimed.channel,
            "count": len(end.dead_addresses),
        },
    )
    return entries
