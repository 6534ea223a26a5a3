"""Rows of PostgreSQL as frozen values; nothing outside `db` sees a database record."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from notistream.domain.notification import Notification, OnUnknown, Priority
from notistream.domain.template_text import TemplateVersion


def storable(text: str | None) -> str | None:
    """Foreign text as PostgreSQL can store it: NUL removed, lone surrogates as `?`."""
    if text is None or (text.isascii() and "\x00" not in text):
        return text
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredNotification(Notification):
    """A row of `notifications`, without its lease."""

    status: str
    seq: int
    chain: int
    attempts: int
    reason: str | None
    error_message: str | None
    provider: str | None
    provider_message_id: str | None
    due_at: datetime | None
    sent_at: datetime | None
    failed_at: datetime | None
    created_at: datetime
    updated_at: datetime
    receipt: Mapping[str, Any] | None = None


NOTIFICATION_FIELDS = tuple(f.name for f in fields(StoredNotification))


def stored_notification(row: asyncpg.Record) -> StoredNotification:
    known = {name: row[name] for name in NOTIFICATION_FIELDS}
    known["priority"] = Priority(known["priority"])
    known["on_unknown"] = OnUnknown(known["on_unknown"])
    return StoredNotification(**known)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAttempt:
    """A closed provider call (or one that a gate stopped)."""

    chain: int
    number: int
    provider: str | None
    started_at: datetime
    ended_at: datetime
    duration_ms: float | None
    outcome: str
    error: str | None
    late_outcome: str | None
    late_at: datetime | None
    steps: list[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredStep:
    """A decision made outside an attempt."""

    at: datetime
    gate: str
    verdict: str
    reason: str
    inputs: Mapping[str, Any]
    next_eligible_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBatch:
    """A batch and how far its notifications are."""

    id: UUID
    tenant_id: UUID
    total_count: int
    rejected_count: int
    created_at: datetime
    statuses: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTemplate:
    """The current version of a tenant's template."""

    id: UUID
    tenant_id: UUID
    name: str
    channel: str
    version: int
    content: TemplateVersion
    metadata: Mapping[str, Any]
    is_active: bool
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class StoredTemplateVersion:
    """One version of a template, and when it was made."""

    version: int
    content: TemplateVersion
    created_at: datetime
