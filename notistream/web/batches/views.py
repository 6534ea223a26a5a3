"""JSON shapes of batches, and what fills them."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field
from typing_extensions import TypedDict

from notistream.db.records import StoredBatch
from notistream.web.notifications.views import NotificationView
from notistream.web.server.problems import Problem


class BatchView(TypedDict):
    """pending + delivered + failed + cancelled = total.

    Refused items are apart, in `rejected_count`.
    """

    id: UUID
    tenant_id: UUID
    total_count: int
    pending_count: Annotated[int, Field(description="All that has not ended.")]
    delivered_count: int
    failed_count: int
    cancelled_count: Annotated[int, Field(description="Suppressed and expired ones included.")]
    suppressed_count: int
    expired_count: int
    rejected_count: int
    created_at: datetime


class BatchAccepted(TypedDict):
    """The batch and, in the order of the request, each notification or the problem with it."""

    batch: BatchView
    notifications: list[NotificationView | Problem]


def batch(stored: StoredBatch) -> BatchView:
    """Count statuses so that the four counts add up to the total."""
    count = stored.statuses.get
    delivered, failed = count("delivered", 0), count("failed", 0)
    suppressed, expired = count("suppressed", 0), count("expired", 0)
    cancelled = count("cancelled", 0) + suppressed + expired
    return {
        "id": stored.id,
        "tenant_id": stored.tenant_id,
        "total_count": stored.total_count,
        "pending_count": stored.total_count - delivered - failed - cancelled,
        "delivered_count": delivered,
        "failed_count": failed,
        "cancelled_count": cancelled,
        "suppressed_count": suppressed,
        "expired_count": expired,
        "rejected_count": stored.rejected_count,
        "created_at": stored.created_at,
    }
