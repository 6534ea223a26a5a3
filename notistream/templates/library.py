"""Templates: create, replace, delete, find and preview; a tenant's own come before starters."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from notistream.access.actors import transaction_as
from notistream.db import audit_log, templates
from notistream.db.pool import Database, Queryable
from notistream.db.records import StoredTemplate, StoredTemplateVersion
from notistream.db.templates import NewTemplate, Replacement
from notistream.domain.notification import CHANNEL_NAMES, CHANNELS
from notistream.domain.template import InvalidTemplateError, compiled
from notistream.domain.template_preview import TemplatePreview, preview
from notistream.domain.template_text import TemplateText, TemplateVersion, variant_errors
from notistream.domain.validation import CONTROL, header_error, length_error, nul_error
from notistream.errors import Conflict, FieldError, InvalidRequest, NotFound
from notistream.templates.starters import Starter, starters_by_id, uuid_of

MAX_TOKENS_OF_ALL = 20_000
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class TemplateExists(Conflict):
    """The tenant has a template of this name for this channel."""

    code = "template_exists"


class TemplateChanged(Conflict):
    """The template is no longer at the version that was to be replaced."""

    code = "template_changed"


class StarterTemplate(Conflict):
    """Starter templates belong to the product.

    A template of your own with the same name and channel wins over one.
    """

    code = "starter_template"


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateDraft:
    """A template that is to be stored; nothing in it has been checked."""

    name: str
    channel: str
    content: TemplateVersion
    metadata: Mapping[str, Any] = field(default_factory=dict)
    is_active: bool = True


class Templates:
    """A tenant's templates.

    `changed` is called after each change, `limits` are characters per channel.
    """

    def __init__(
        self, database: Database, *, changed: Callable[[], None], limits: Mapping[str, int]
    ) -> None:
        self._database = database
        self._changed = changed
        self._limits = limits

    async def create(
        self, tenant_id: UUID, wanted: TemplateDraft, *, actor: str | None = None
    ) -> StoredTemplate:
        """Store a template as version 1.

        Raises:
            InvalidRequest: wrong channel, name, or template syntax.
            TemplateExists: the name is taken.
        """
        name, channel = wanted.name, wanted.channel
        wrong = await asyncio.to_thread(content_errors, wanted.content, channel)
        _refuse([*_name_errors(name), *_channel_errors(channel), *wrong])
        async with transaction_as(self._database, tenant_id, actor) as db:
            created = await templates.create(
                db,
                NewTemplate(
                    id=uuid7(),
                    tenant_id=tenant_id,
                    name=name,
                    channel=CHANNEL_NAMES[channel],
                    content=wanted.content,
                    metadata=wanted.metadata,
                    is_active=wanted.is_active,
                ),
            )
            if created is None:
                raise TemplateExists(f"there is a template {name!r} for {channel}")
            await _note(db, actor, "template.create", created)
        self._changed()
        return created

    async def replace(
        self,
        tenant_id: UUID,
        template_id: UUID,
        wanted: Replacement,
        *,
        name: str | None = None,
        channel: str | None = None,
        actor: str | None = None,
    ) -> StoredTemplate:
        """Store the next version; accepted notifications keep theirs.

        Raises:
            NotFound, StarterTemplate: the tenant has no such template of its own.
            InvalidRequest: template syntax, or `name` or `channel` are not the template's.
            TemplateChanged: somebody else replaced it first.
        """
        stored = await self._own(tenant_id, template_id)
        kept = [
            (f"/{field}", f"cannot be changed: it is {was!r}; create another template")
            for field, given, was in (
                ("name", name, stored.name),
                (
                    "channel",
                    None if channel is None else CHANNEL_NAMES.get(channel, channel),
                    stored.channel,
                ),
            )
            if given is not None and given != was
        ]
        _refuse([*kept, *await asyncio.to_thread(content_errors, wanted.content, stored.channel)])
        async with transaction_as(self._database, tenant_id, actor) as db:
            replaced = await templates.replace(db, tenant_id, template_id, wanted)
            if replaced is not None:
                await _note(db, actor, "template.replace", replaced)
        if replaced is None:
            now = await self.get(tenant_id, template_id)
            raise TemplateChanged(
                f"template {template_id} is at version {now.version}, not {wanted.expected}"
            )
        self._changed()
        return replaced

    async def delete(self, tenant_id: UUID, template_id: UUID, *, actor: str | None = None) -> None:
        """Delete a template and free its name; accepted notifications keep their version.

        Raises:
            NotFound, StarterTemplate: the tenant has no such template of its own.
        """
        stored = await self._own(tenant_id, template_id)
        async with transaction_as(self._database, tenant_id, actor) as db:
            if await templates.delete(db, tenant_id, template_id):
                await _note(db, actor, "template.delete", stored)
        self._changed()

    async def _own(self, tenant_id: UUID, template_id: UUID) -> StoredTemplate:
        starter = starters_by_id().get(template_id)
        if starter is not None:
            raise StarterTemplate(
                f"{starter.name!r} for {starter.channel} is a starter template and cannot be"
                " changed or deleted; create your own of the same name and channel, and it is used"
                " instead"
            )
        return await self.get(tenant_id, template_id)

    async def get(self, tenant_id: UUID, template_id: UUID) -> StoredTemplate:
        """Return a template of the tenant or a starter; raises NotFound."""
        starter = starters_by_id().get(template_id)
        found = (
            _as_stored(starter, tenant_id)
            if starter
            else await templates.get(self._database.of(tenant_id), tenant_id, template_id)
        )
        if found is None:
            raise NotFound(f"there is no template {template_id}")
        return found

    async def versions(
        self, tenant_id: UUID, template_id: UUID, *, before: int | None, limit: int
    ) -> list[StoredTemplateVersion]:
        """Return at most `limit` versions, newest first; raises NotFound."""
        stored = await self.get(tenant_id, template_id)
        if template_id in starters_by_id():
            only = StoredTemplateVersion(stored.version, stored.content, stored.created_at)
            return [only] if before is None else []
        return await templates.versions(
            self._database.of(tenant_id), tenant_id, template_id, before=before, limit=limit
        )

    async def preview(
        self,
        content: TemplateVersion,
        variables: Mapping[str, Any],
        *,
        channel: str,
        locale: str | None,
    ) -> tuple[str | None, TemplatePreview]:
        """Return the language variant that the locale selects, and the rendered message.

        Raises InvalidRequest for bad syntax.
        """
        _refuse(
            [*_channel_errors(channel), *await asyncio.to_thread(content_errors, content, channel)]
        )
        name = CHANNEL_NAMES[channel]
        variant, text = content.for_locale(locale)
        return variant, await asyncio.to_thread(
            preview, text, variables, channel=name, limit=self._limits[name]
        )


async def _note(db: Queryable, actor: str | None, action: str, stored: StoredTemplate) -> None:
    """Write an operator's change to the audit log; the versions show a tenant's own changes."""
    if actor:
        await audit_log.record(
            db,
            actor,
            action,
            str(stored.id),
            {
                "tenant_id": str(stored.tenant_id),
                "name": stored.name,
                "channel": stored.channel,
                "version": stored.version,
            },
        )


def _as_stored(starter: Starter, tenant_id: UUID) -> StoredTemplate:
    return StoredTemplate(
        id=starter.id,
        tenant_id=tenant_id,
        name=starter.name,
        channel=starter.channel,
        version=1,
        content=starter.content,
        metadata={"starter": True},
        is_active=True,
        created_at=EPOCH,
        updated_at=EPOCH,
    )


def _refuse(errors: list[tuple[str, str]]) -> None:
    if errors:
        raise InvalidRequest([FieldError(pointer, message) for pointer, message in errors])


def _name_errors(name: str) -> list[tuple[str, str]]:
    if not name.strip() or CONTROL.search(name) or uuid_of(name):
        return [("/name", "must be a name: not empty, no control characters, not a UUID")]
    too_long = length_error(name, 255)
    return [("/name", too_long)] if too_long else []


def _channel_errors(channel: str) -> list[tuple[str, str]]:
    return (
        [] if channel in CHANNEL_NAMES else [("/channel", f"must be one of {', '.join(CHANNELS)}")]
    )


def content_errors(content: TemplateVersion, channel: str) -> list[tuple[str, str]]:
    """Return everything wrong with a version, as (JSON pointer, message).

    This takes up to a second, so it must not run on the event loop.
    """
    found = _text_errors(content.text, channel, "")
    for tag, error in variant_errors(tuple(content.variants)):
        found.append((f"/variants/{tag.replace('~', '~0').replace('/', '~1')}", error))
    if found:
        return found
    tokens = _tokens(content.text)
    for tag, text in content.variants.items():
        wrong = _text_errors(text, channel, f"/variants/{tag}")
        found += wrong
        tokens += 0 if wrong else _tokens(text)
        if tokens > MAX_TOKENS_OF_ALL:
            return [
                (
                    "/variants",
                    f"have more than {MAX_TOKENS_OF_ALL} words and signs of template syntax in all",
                )
            ]
    return found


def _tokens(text: TemplateText) -> int:
    return sum(
        compiled(source, html=part == "html").tokens for part, source in text.parts().items()
    )


def _text_errors(text: TemplateText, channel: str, below: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str | None]] = []
    if not text.body.strip():
        found.append((f"{below}/body", "must not be empty"))
    if text.html is not None and channel in CHANNEL_NAMES and CHANNEL_NAMES[channel] != "email":
        found.append((f"{below}/html", "only an e-mail has HTML"))
    if text.subject is not None:
        found.append((f"{below}/subject", header_error(text.subject)))
    for part, source in text.parts().items():
        found.append(
            (f"{below}/{part}", nul_error(source) or _syntax_error(source, html=part == "html"))
        )
    return [(pointer, message) for pointer, message in found if message]


def _syntax_error(source: str, *, html: bool) -> str | None:
    try:
        compiled(source, html=html)
    except InvalidTemplateError as exc:
        return str(exc)
    return None
