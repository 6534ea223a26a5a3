"""Which template version a request means, whether it renders, and the text of a version."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from notistream.db import templates
from notistream.db.pool import Database
from notistream.domain.draft import Draft
from notistream.domain.notification import CHANNEL_NAMES, Claimed
from notistream.domain.template import InvalidTemplateError, RenderError, compiled, missing
from notistream.domain.template_text import TemplateText, TemplateVersion, rendered
from notistream.domain.validation import header_error, length_error
from notistream.errors import FieldError, InvalidRequest
from notistream.templates.starters import starters, starters_by_id, uuid_of

CACHED_VERSIONS = 500
RECENT_S = 1.0
LONG_S = 0.005


@dataclass(frozen=True, slots=True)
class Chosen:
    """The template version that a notification is accepted with."""

    id: UUID
    name: str
    version: int
    content: TemplateVersion


class TemplateChoice:
    """Prefers a tenant's own template to a starter of the same name; caches versions."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._versions: OrderedDict[tuple[UUID, int], TemplateVersion] = OrderedDict()
        self._named_before: dict[tuple[UUID, str, str], tuple[Chosen, float]] = {}

    def forget(self) -> None:
        """Templates have changed; other processes notice within a second."""
        self._named_before.clear()

    async def chosen(self, tenant_id: UUID, draft: Draft, *, limit: int) -> Chosen | None:
        """The template that a draft names, after rendering it as a check in the draft's language.

        Raises:
            InvalidRequest: there is none; or the draft has no `content` to fall back on, and the
                template cannot be rendered or the text is too long.
        """
        if draft.template is None:
            return None
        found = await self._recent(tenant_id, CHANNEL_NAMES[draft.channel], draft.template)
        if found is None:
            wrong = f"there is no {draft.channel} template {draft.template!r}"
            raise InvalidRequest([FieldError("/template_id", wrong)])
        if not draft.content:
            _, text = found.content.for_locale(draft.locale)
            started = time.monotonic()
            errors = _render_errors(text, draft, limit)
            if time.monotonic() - started > LONG_S:
                await asyncio.sleep(0)  # a batch of a thousand such would make all others wait
            if errors:
                raise InvalidRequest(errors)
        return found

    async def _recent(self, tenant_id: UUID, channel: str, template: str) -> Chosen | None:
        """The answer of `_named`, up to a second old: a batch of a thousand asks once."""
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
        template_id, own_rows = uuid_of(template), self._database.of(tenant_id)
        if template_id is None:
            own = await templates.get_by_name(own_rows, tenant_id, channel, template)
            starter = starters().get((channel, template))
        else:
            own = await templates.get(own_rows, tenant_id, template_id)
            starter = starters_by_id().get(template_id)
        if own is not None and own.channel == channel and own.is_active:
            return Chosen(own.id, own.name, own.version, own.content)
        if own is None and starter is not None and starter.channel == channel:
            return Chosen(starter.id, starter.name, 1, starter.content)
        return None

    async def source(self, claimed: Claimed) -> TemplateVersion | None:
        """Implements `delivery.ports.TemplateSources`."""
        assert claimed.template_id is not None
        starter = starters_by_id().get(claimed.template_id)
        if starter is not None:
            return starter.content
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


def _render_errors(text: TemplateText, draft: Draft, limit: int) -> list[FieldError]:
    variables = draft.template_variables
    try:
        made = rendered(text, variables, subject=draft.subject)
    except (RenderError, InvalidTemplateError) as exc:
        absent = {
            name: None
            for part, source in text.parts().items()
            for name in missing(source, variables, html=part == "html")
        }
        if absent:
            return [
                FieldError(f"/template_variables/{name}", "is needed by the template")
                for name in absent
            ]
        return [
            FieldError(place, f"the template cannot be rendered: {exc}")
            for place in _blamed(text, variables)
        ]
    too_long = length_error(made.body, limit)
    return [FieldError("/template_variables", f"the rendered text {too_long}")] if too_long else []


def _blamed(text: TemplateText, variables: Mapping[str, Any]) -> list[str]:
    """The variables that would break the subject's header, where that is what is wrong."""
    read = compiled(text.subject).variables if text.subject else frozenset()
    broken = [
        name
        for name in sorted(read)
        if isinstance(v := variables.get(name), str) and header_error(v)
    ]
    return [f"/template_variables/{name}" for name in broken] or ["/template_variables"]
