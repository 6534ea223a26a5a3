"""Batches: their size, and how far their notifications are."""

from dataclasses import fields
from uuid import UUID

from notistream.db.pool import Queryable
from notistream.db.queries import load
from notistream.db.records import StoredBatch

SQL = load("batches")
FIELDS = tuple(f.name for f in fields(StoredBatch))


async def create(
    db: Queryable, batch_id: UUID, tenant_id: UUID, *, total: int, rejected: int
) -> StoredBatch:
    """Store a batch of `total` accepted and `rejected` refused items."""
    row = await db.fetchrow(
        *SQL["create"](id=batch_id, tenant_id=tenant_id, total_count=total, rejected_count=rejected)
    )
    assert row is not None
    return StoredBatch(
        id=batch_id,
        tenant_id=tenant_id,
        total_count=total,
        rejected_count=rejected,
        created_at=row["created_at"],
        statuses={"pending": total},
    )


async def get(db: Queryable, tenant_id: UUID, batch_id: UUID) -> StoredBatch | None:
    row = await db.fetchrow(*SQL["get"](tenant_id=tenant_id, id=batch_id))
    return StoredBatch(**{name: row[name] for name in FIELDS}) if row else None
