"""Handlers that show templates: the list, one in its form, its versions and what changed between them."""

import asyncio
from collections.abc import Mapping, Sequence

from aiohttp import web

from notistream.console import template_editor as editor
from notistream.console import tenant_field
from notistream.console.filters import address, asked
from notistream.console.rendering import framed, page
from notistream.console.template_editor import HERE, Owned
from notistream.console.template_form import filled, number
from notistream.db import notification_search
from notistream.db import templates as rows
from notistream.db.records import StoredTemplate
from notistream.domain.difference import Piece, difference
from notistream.domain.notification import CHANNEL_NAMES
from notistream.domain.template_text import TemplateText, TemplateVersion
from notistream.errors import FieldError, InvalidRequest, NotFound
from notistream.templates.starters import starters
from notistream.web.server.context import RUNTIME
from notistream.web.server.paths import path_id
from notistream.web.server.query import Query

SIZE = 50
VERSIONS = 50
NONE_YET = TemplateVersion(TemplateText(None, ""))


async def show_many(request: web.Request) -> web.Response:
    """Newest first, and below them the starters that every tenant has."""
    query = asked(request.query)
    errors: Sequence[FieldError] = ()
    found: list[StoredTemplate] = []
    try:
        found = await _found(request, query)
    except InvalidRequest as exc:
        errors = exc.errors
    db = request.app[RUNTIME].database
    values = {name: request.query.get(name, "") for name in ("tenant", "channel", "name")}
    return page(
        request,
        "templates.html",
        status=422 if errors else 200,
        errors=errors,
        found=found[:SIZE],
        values=values,
        first="before" not in request.query,
        newest=address(HERE, values),
        older=address(HERE, values, before=found[SIZE - 1].id) if len(found) > SIZE else None,
        tenants=await notification_search.tenant_names(db, [one.tenant_id for one in found]),
        offered=await tenant_field.offered(db),
        new=address(f"{HERE}/new", values, name=None),
        starters=[one for one in starters().values() if values["channel"] in ("", one.channel)],
    )


async def _found(request: web.Request, query: Query) -> list[StoredTemplate]:
    db = request.app[RUNTIME].database
    before, channel, name, tenant = (
        query.cursor("before"),
        query.channel(),
        query.text("name"),
        query.text("tenant"),
    )
    query.check()
    owner = await tenant_field.meant(db, tenant)
    if owner is None:
        return await rows.list_of_all(db, before=before, channel=channel, name=name, limit=SIZE + 1)
    return await rows.list_page(
        db, owner.id, before=before, channel=channel, name=name, limit=SIZE + 1
    )


async def begin(request: web.Request) -> web.Response:
    """An empty form of a channel, or one with a starter's text."""
    channel, tenant = (
        CHANNEL_NAMES.get(request.query.get("channel", "")),
        request.query.get("tenant", ""),
    )
    if channel is None:
        return page(
            request,
            "template_new.html",
            tenant=tenant,
            offered=await tenant_field.offered(request.app[RUNTIME].database),
        )
    model = starters().get((channel, request.query.get("from", "")))
    form = filled(
        model.content if model else NONE_YET,
        tenant=tenant,
        name=model.name if model else "",
        channel=channel,
        sample=await editor.sample(request.app[RUNTIME], model) if model else None,
    )
    return await editor.show(request, form)


async def show(request: web.Request) -> web.Response:
    """With `version`, the text of an older one, which saving makes the newest."""
    template_id, runtime = path_id(request), request.app[RUNTIME]
    model = editor.starter(template_id)
    if model is not None:
        sample = await editor.sample(runtime, model)
        form = filled(
            model.content, tenant="", name=model.name, channel=model.channel, sample=sample
        )
        return await editor.show(
            request, form, from_starter=model, frame=f"{HERE}/{template_id}/html"
        )
    owned = await editor.owned(runtime, template_id)
    wanted = number(request.query.get("version")) or owned.stored.version
    is_newest = wanted == owned.stored.version
    content = owned.stored.content if is_newest else await _version(request, owned, wanted)
    form = filled(
        content,
        tenant=owned.tenant.name,
        name=owned.stored.name,
        channel=owned.stored.channel,
        version=owned.stored.version,
        is_active=owned.stored.is_active,
        sample=await editor.sample(runtime, owned.stored),
    )
    return await editor.show(
        request,
        form,
        owned=owned,
        frame=f"{HERE}/{template_id}/html" if is_newest else None,
        taken=None if is_newest else wanted,
    )


async def show_html(request: web.Request) -> web.Response:
    """The stored HTML with its own names as values, for the frame of a page that was just opened."""
    template_id, runtime = path_id(request), request.app[RUNTIME]
    template = editor.starter(template_id) or (await editor.owned(runtime, template_id)).stored
    _, found = await runtime.templates.preview(
        template.content,
        await editor.sample(runtime, template),
        channel=template.channel,
        locale=None,
    )
    return framed(found.parts.get("html") or "")


async def show_versions(request: web.Request) -> web.Response:
    """Newest first, and the difference of two, which are the last two where nobody asks for others."""
    owned = await editor.owned(request.app[RUNTIME], path_id(request))
    newest = owned.stored.version
    to = number(request.query.get("to")) or newest
    since = number(request.query.get("from")) or max(to - 1, 1)
    before = number(request.query.get("before")) or newest + 1
    found = await rows.versions(
        request.app[RUNTIME].database,
        owned.stored.tenant_id,
        owned.stored.id,
        before=before,
        limit=VERSIONS + 1,
    )
    old, new = await _version(request, owned, since), await _version(request, owned, to)
    here = f"{HERE}/{owned.stored.id}/versions"
    return page(
        request,
        "template_versions.html",
        owned=owned,
        versions=found[:VERSIONS],
        since=since,
        to=to,
        changes=await asyncio.to_thread(changes, old, new),
        first=before > newest,
        newest=here,
        older=f"{here}?before={found[VERSIONS - 1].version}" if len(found) > VERSIONS else None,
    )


async def _version(request: web.Request, owned: Owned, number: int) -> TemplateVersion:
    found = await rows.version(request.app[RUNTIME].database, owned.stored.id, number)
    if found is None:
        raise NotFound(f"there is no version {number} of this template")
    return found


def changes(old: TemplateVersion, new: TemplateVersion) -> Mapping[str, list[Piece]]:
    """Of each part that is not the same, by what it is."""
    before, after = _parts(old), _parts(new)
    return {
        part: difference(before.get(part, ""), after.get(part, ""))
        for part in dict.fromkeys([*after, *before])
        if before.get(part) != after.get(part)
    }


def _parts(content: TemplateVersion) -> Mapping[str, str]:
    return {
        f"{part} in {tag}" if tag else part: text
        for tag, said in (("", content.text), *content.variants.items())
        for part, text in said.parts().items()
    }
