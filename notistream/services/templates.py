"""Templates: create and find them, choose the one a request means, and answer the pipeline's question for text."""

import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from notistream.db import templates
from notistream.db.pool import Database
from notistream.db.records import StoredTemplate
from notistream.domain.draft import Draft
from notistream.domain.notification import CHANNEL_NAMES, CHANNELS, Claimed
from notistream.domain.template import InvalidTemplateError, RenderError, compiled, missing, render
from notistream.domain.validation import CONTROL, length_error, nul_error
from notistream.errors import Conflict, FieldError, InvalidRequest, NotFound
from notistream.templates import Starter, starters, starters_by_id

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
CACHED_VERSIONS = 500
RECENT_S = 1.0


class TemplateExists(Conflict):
    """The tenant has a template of this name for this channel."""

    code = "template_exists"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The template version that a notification is accepted with."""

    id: UUID
    name: str
    version: int
    subject: str | None
    body: str


class Templates:
    """A tenant's templates, with the starters of the product below them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._versions: OrderedDict[tuple[UUID, int], tuple[str | None, str]] = OrderedDict()
        self._named_before: dict[tuple[UUID, str, str], tuple[Chosen, float]] = {}

    async def create(
        self,
        tenant_id: UUID,
        *,
        name: str,
        channel: str,
        subject: str | None,
        body: str,
        metadata: Mapping[str, Any],
        is_active: bool,
    ) -> StoredTemplate:
        """Store a template as version 1.

        Raises:
            InvalidRequest: wrong channel, name, or template syntax.
            TemplateExists: the name is taken.
        """
        errors = [FieldError(p, m) for p, m in _template_errors(name, channel, subject, body) if m]
        if errors:
            raise InvalidRequest(errors)
        created = await templates.create(self._database.of(tenant_id), templates.NewTemplate(
            id=uuid7(), tenant_id=tenant_id, name=name, channel=CHANNEL_NAMES[channel], subject=subject, body=body,
            metadata=metadata, is_active=is_active,
        ))
        if created is None:
            raise TemplateExists(f"there is a template {name!r} for {channel}")
        self._named_before.pop((tenant_id, created.channel, name), None)
        return created

    async def get(self, tenant_id: UUID, template_id: UUID) -> StoredTemplate:
        """Raises NotFound."""
        starter = starters_by_id().get(template_id)
        found = _as_stored(starter, tenant_id) if starter else await templates.get(
            self._database.of(tenant_id), tenant_id, template_id)
        if found is None:
            raise NotFound(f"there is no template {template_id}")
        return found

    async def list_page(
        self, tenant_id: UUID, *, before: UUID | None, channel: str | None, name: str | None, limit: int
    ) -> list[StoredTemplate]:
        """The tenant's own, newest first, at most `limit`; starters are found by name or id."""
        return await templates.list_page(
            self._database.of(tenant_id), tenant_id, before=before, channel=channel, name=name, limit=limit)

    async def chosen(self, tenant_id: UUID, draft: Draft, *, limit: int) -> Chosen | None:
        """The template that a draft names, after rendering it as a check.

        Raises:
            InvalidRequest: there is none, it cannot be rendered and no `content` stands in, or the text is too long.
        """
        if draft.template is None:
            return None
        found = await self._recent(tenant_id, CHANNEL_NAMES[draft.channel], draft.template)
        if found is None:
            wrong = f"there is no {draft.channel} template {draft.template!r}"
            raise InvalidRequest([FieldError("/template_id", wrong)])
        errors = [] if draft.content else _render_errors(found, draft.variables, limit)
        if errors:
            raise InvalidRequest(errors)
        return found

    async def _recent(self, tenant_id: UUID, channel: str, template: str) -> Chosen | None:
        """What `_named` said within the last second: a batch of a thousand asks once."""
        key, now = (tenant_id, channel, template), time.monotonic()
        known = self._named_before.get(key)
        if known and known[1] > now:
            return known[0]
        found = await self._named(tenant_id, channel, template)
        if len(self._named_before) > CACHED_VERSIONS:
            self._named_before.clear()
        if found is not None:
            self._named_before[key] = (found, now + RECENT_S)
        return found

    async def _named(self, tenant_id: UUID, channel: str, template: str) -> Chosen | None:
        template_id = _uuid(template)
        if template_id is None:
            own = await templates.get_by_name(self._database.of(tenant_id), tenant_id, channel, template)
            starter = starters().get((channel, template))
        else:
            own = await templates.get(self._database.of(tenant_id), tenant_id, template_id)
            starter = starters_by_id().get(template_id)
        if own is not None and own.channel == channel and own.is_active:
            return Chosen(own.id, own.name, own.version, own.subject, own.body)
        if own is None and starter is not None and starter.channel == channel:
            return Chosen(starter.id, starter.name, 1, starter.subject, starter.body)
        return None

    async def source(self, claimed: Claimed) -> tuple[str | None, str] | None:
        """Subject and body of the version that a notification was accepted with; versions never change."""
        assert claimed.template_id is not None
        starter = starters_by_id().get(claimed.template_id)
        if starter is not None:
            return starter.subject, starter.body
        key = (claimed.template_id, claimed.template_version or 1)
        cached = self._versions.get(key)
        if cached is not None:
            return cached
        found = await templates.version(self._database, *key)
        if found is not None:
            self._versions[key] = found
            if len(self._versions) > CACHED_VERSIONS:
                self._versions.popitem(last=False)
        return found


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _as_stored(starter: Starter, tenant_id: UUID) -> StoredTemplate:
    return StoredTemplate(
        id=starter.id, tenant_id=tenant_id, name=starter.name, channel=starter.channel, version=1,
        subject=starter.subject, body=starter.body, metadata={"starter": True}, is_active=True, created_at=EPOCH,
        updated_at=EPOCH,
    )


def _template_errors(name: str, channel: str, subject: str | None, body: str) -> list[tuple[str, str | None]]:
    found: list[tuple[str, str | None]] = []
    if channel not in CHANNEL_NAMES:
        found.append(("/channel", f"must be one of {', '.join(CHANNELS)}"))
    if not name.strip() or CONTROL.search(name) or _uuid(name):
        found.append(("/name", "must be a name: not empty, no control characters, not a UUID"))
    else:
        found.append(("/name", length_error(name, 255)))
    if not body.strip():
        found.append(("/body", "must not be empty"))
    for pointer, text in (("/subject", subject), ("/body", body)):
        if text is not None:
            found.append((pointer, nul_error(text) or _syntax_error(text)))
    if subject is not None and CONTROL.search(subject):
        found.append(("/subject", "must not contain control characters"))
    return found


def _syntax_error(source: str) -> str | None:
    try:
        compiled(source)
    except InvalidTemplateError as exc:
        return str(exc)
    return None


def _render_errors(chosen: Chosen, variables: Mapping[str, Any], limit: int) -> list[FieldError]:
    absent = missing(chosen.body, variables) + (missing(chosen.subject, variables) if chosen.subject else [])
    try:
        text = render(chosen.body, variables)
        if chosen.subject:
            render(chosen.subject, variables)
    except (RenderError, InvalidTemplateError) as exc:
        if absent:
            return [FieldError(f"/template_variables/{name}", "is needed by the template") for name in absent]
        return [FieldError("/template_variables", f"the template cannot be rendered: {exc}")]
    too_long = length_error(text, limit)
    return [FieldError("/template_variables", f"the rendered text {too_long}")] if too_long else []
