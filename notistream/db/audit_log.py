"""The audit log: what operators did, written in the transaction that does it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from notistream.db.pool import Queryable
from notistream.db.queries import load
from notistream.db.records import storable

SQL = load("audit_log")
CLI, ADMIN, WORKER = "cli", "admin", "worker"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One action: who, what, on what, with which details."""

    id: int
    at: datetime
    actor: str
    action: str
    target: str
    details: Mapping[str, Any]


async def record(
    db: Queryable, actor: str, action: str, target: str, details: Mapping[str, Any] | None = None
) -> None:
    """Note an action.

    `actor` is CLI, ADMIN, WORKER or a tenant's id, `action` a word such as `dlq.replay`.
    """
    await db.fetch(
        *SQL["record"](actor=actor, action=action, target=storable(target), details=details or {})
    )


async def list_page(db: Queryable, *, before: int | None = None, limit: int) -> list[AuditEntry]:
    """At most `limit` actions, newest first."""
    return [
        AuditEntry(**dict(row)) for row in await db.fetch(*SQL["list"](before=before, limit=limit))
    ]
