"""Unsubscribing by a link: turns a category off for a recipient or an address."""

import logging

from notistream.db import preferences, suppressions
from notistream.db.pool import Queryable
from notistream.delivery.unsubscribe import OptOut
from notistream.domain.suppression import SuppressionReason

log = logging.getLogger(__name__)


async def unsubscribe(database: Queryable, wanted: OptOut) -> None:
    """Turn the category off; repeating the call changes nothing."""
    if wanted.recipient_id is not None:
        await preferences.turn_category_off(
            database, wanted.tenant_id, wanted.recipient_id, wanted.category
        )
    elif wanted.address is not None:
        await suppressions.add(
            database,
            wanted.tenant_id,
            channel=wanted.channel,
            address=wanted.address,
            category=wanted.category,
            reason=SuppressionReason.UNSUBSCRIBE,
        )
    log.info("unsubscribed", extra={"tenant_id": str(wanted.tenant_id), "channel": wanted.channel})
