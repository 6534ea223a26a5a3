"""Templates of a tenant and their versions."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID

import asyncpg

from notistream.db.pool import Queryable
from notistream.db.queries import load
from notistream.db.records import StoredTemplate, StoredTemplateVersion
from notistream.domain.template_text import TemplateText, TemplateVersion

SQL = load("templates")
FIELDS = tuple(f.name for f in fields(StoredTemplate) if f.name != "content")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTemplate:
    """A template to store."""

    id: UUID
    tenant_id: UUID
    name: str
    channel: str
    content: TemplateVersion
    metadata: Mapping[str, Any]
    is_active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """The next version; what is None stays.

    `expected` is the version that it replaces, if that matters.
    """

    content: TemplateVersion
    metadata: Mapping[str, Any] | None = None
    is_active: bool | None = None
    expected: int | None = None


def _content(row: asyncpg.Record) -> TemplateVersion:
    variants = {
        tag: TemplateText(said.get("subject"), said["body"], said.get("html"))
        for tag, said in row["variants"].items()
    }
    return TemplateVersion(TemplateText(row["subject"], row["body"], row["html"]), variants)


def _stored(row: asyncpg.Record | None) -> StoredTemplate | None:
    return (
        StoredTemplate(**{name: row[name] for name in FIELDS}, content=_content(row))
        if row
        else None
    )


def _columns(content: TemplateVersion) -> Mapping[str, Any]:
    text = content.text
    return {
        "subject": text.subject,
        "body": text.body,
        "html": text.html,
        "variants": {tag: said.parts() for tag, said in content.variants.items()},
    }


async def create(transaction: Queryable, new: NewTemplate) -> StoredTemplate | None:
    """The stored template; None where the tenant has one of this name and channel.

    Needs a transaction.
    """
    created = await transaction.fetchrow(
        *SQL["create"](
            id=new.id,
            tenant_id=new.tenant_id,
            name=new.name,
            channel=new.channel,
            metadata=new.metadata,
            is_active=new.is_active,
        )
    )
    if created is None:
        return None
    return _stored(
        await transaction.fetchrow(
            *SQL["add_first"](tenant_id=new.tenant_id, id=new.id, **_columns(new.content))
        )
    )


async def replace(
    db: Queryable, tenant_id: UUID, template_id: UUID, wanted: Replacement
) -> StoredTemplate | None:
    """The template with its new version.

    None if there is none, or it has another version than expected.
    """
    return _stored(
        await db.fetchrow(
            *SQL["replace"](
                tenant_id=tenant_id,
                id=template_id,
                expected=wanted.expected,
                metadata=wanted.metadata,
                is_active=wanted.is_active,
                **_columns(wanted.content),
            )
        )
    )


async def delete(db: Queryable, tenant_id: UUID, template_id: UUID) -> bool:
    """Hide it; its versions stay. Whether there was one."""
    return await db.fetchrow(*SQL["delete"](tenant_id=tenant_id, id=template_id)) is not None


async def get(db: Queryable, tenant_id: UUID, template_id: UUID) -> StoredTemplate | None:
    return _stored(await db.fetchrow(*SQL["get"](tenant_id=tenant_id, id=template_id)))


async def get_by_name(
    db: Queryable, tenant_id: UUID, channel: str, name: str
) -> StoredTemplate | None:
    return _stored(
        await db.fetchrow(*SQL["get_by_name"](tenant_id=tenant_id, channel=channel, name=name))
    )


async def list_page(
    db: Queryable,
    tenant_id: UUID,
    *,
    before: UUID | None,
    channel: str | None,
    name: str | None,
    limit: int,
) -> list[StoredTemplate]:
    """At most `limit`, newest first."""
    rows = await db.fetch(
        *SQL["list"](tenant_id=tenant_id, before=before, channel=channel, name=name, limit=limit)
    )
    return [found for row in rows if (found := _stored(row))]


async def versions(
    db: Queryable, tenant_id: UUID, template_id: UUID, *, before: int | None, limit: int
) -> list[StoredTemplateVersion]:
    """At most `limit`, newest first."""
    rows = await db.fetch(
        *SQL["versions"](tenant_id=tenant_id, id=template_id, before=before, limit=limit)
    )
    return [StoredTemplateVersion(row["version"], _content(row), row["created_at"]) for row in rows]


async def version(db: Queryable, template_id: UUID, number: int) -> TemplateVersion | None:
    """The text of one version, also of a deleted template."""
    row = await db.fetchrow(*SQL["version"](id=template_id, version=number))
    return _content(row) if row else None


async def find(db: Queryable, template_id: UUID) -> StoredTemplate | None:
    """Of any tenant."""
    return _stored(await db.fetchrow(*SQL["find"](id=template_id)))


async def list_of_all(
    db: Queryable, *, before: UUID | None, channel: str | None, name: str | None, limit: int
) -> list[StoredTemplate]:
    """Of every tenant, at most `limit`, newest first."""
    rows = await db.fetch(
        *SQL["list_of_all"](before=before, channel=channel, name=name, limit=limit)
    )
    return [found for row in rows if (found := _stored(row))]
