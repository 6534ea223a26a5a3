"""Migrations down and up again with data in between: what a step back does not drop as its own, it
keeps.
"""

from datetime import timedelta

import asyncpg
import pytest
from uuid_utils.compat import uuid7

from notistream.db import deliveries, migrate, notifications, tenants
from notistream.db.pool import Database
from notistream.delivery.ports import Turn
from notistream.domain.notification import NewNotification, Priority

pytestmark = pytest.mark.integration
KEPT = (
    "tenants",
    "notifications",
    "outbox",
    "leases",
    "recipients",
    "templates",
    "template_versions",
    "batches",
)
"""Tables of the first migration: each later step back keeps their rows."""


async def planted(url: str) -> dict[str, int]:
    """Rows in every table of KEPT, one of the notifications claimed; how many."""
    db = Database(url, size=1, name="test")
    try:
        tenant, _ = await tenants.create(db, "default")
        new = [
            NewNotification(
                id=uuid7(),
                tenant_id=tenant.id,
                channel="push",
                priority=Priority.HIGH,
                recipient=None,
                recipient_id="r",
                content=str(i),
            )
            for i in range(3)
        ]
        await notifications.create(db, new, window=timedelta(days=7))
        assert await deliveries.claim(
            db, [Turn(new[0].id, 1)], owner=0, lease=timedelta(hours=1), call_before=1e12
        )
        await db.fetch("INSERT INTO recipients (tenant_id, id) VALUES ($1, 'r')", tenant.id)
        await db.fetch(
            "INSERT INTO device_tokens (tenant_id, recipient_id, digest, token, last_seen_at)"
            " SELECT $1, 'r', sha256(convert_to(token, 'UTF8')), token, now() + place * interval '1"
            " second' FROM unnest(ARRAY['old', 'new']) WITH ORDINALITY AS t(token, place)",
            tenant.id,
        )
        template_id = uuid7()
        await db.fetch(
            "INSERT INTO templates (id, tenant_id, name, channel) VALUES ($1, $2, 't', 'sms')",
            template_id,
            tenant.id,
        )
        await db.fetch(
            "INSERT INTO template_versions (template_id, version, body) VALUES ($1, 1, 'b')",
            template_id,
        )
        await db.fetch("INSERT INTO batches VALUES ($1, $2, 3, 0)", uuid7(), tenant.id)
        return {table: await _count(db, table) for table in KEPT}
    finally:
        await db.close()


async def _count(db: object, table: str) -> int:
    rows = await db.fetch(f"SELECT count(*) FROM {table}")  # type: ignore[attr-defined]
    return int(rows[0][0])


async def test_rows_survive_every_step_down_and_up_again(database_url: str) -> None:
    before = await planted(database_url)
    assert all(before.values())
    connection = await asyncpg.connect(database_url)
    try:
        for _ in migrate.known()[1:]:
            undone = await migrate.down(database_url)
            assert {table: await _count(connection, table) for table in KEPT} == before, undone
        assert await connection.fetchval("SELECT push_tokens FROM recipients") == ["old", "new"]
        await migrate.up(database_url)
        assert {table: await _count(connection, table) for table in KEPT} == before
        assert await connection.fetchval("SELECT count(*) FROM device_tokens") == 2
    finally:
        await connection.close()


async def test_what_was_pending_is_delivered_after_a_step_down_and_up(database_url: str) -> None:
    """The claim of the new code finds the rows as they were."""
    await planted(database_url)
    await migrate.down(database_url, steps=len(migrate.known()) - 1)
    await migrate.up(database_url)
    db = Database(database_url, size=1, name="test")
    try:
        rows = await db.fetch("SELECT id FROM notifications WHERE status = 'pending'")
        turns = [Turn(row["id"], 1) for row in rows]
        found = await deliveries.claim(
            db, turns, owner=0, lease=timedelta(hours=1), call_before=1e12
        )
        assert len(found) == 2
        assert {len(claimed.devices) for claimed in found.values()} == {2}
    finally:
        await db.close()
