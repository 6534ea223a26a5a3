"""Handlers that show templates: the list, one in the editor, its versions and their differences."""

import asyncio
from collections.abc import Mapping, Sequence

from aiohttp import web

from notistream.console.shell.query import read_fields, url
from notistream.console.shell.rendering import framed, page
from notistream.console.templates import editor
from notistream.console.templates.editor import HERE, EditorState, Owned
from notistream.console.templates.form import TemplateHead, filled, number
from notistream.console.tenants.lookup import find_tenant, suggested_names
from notistream.db import notification_search
from notistream.db import templates as rows
from notistream.db.records import StoredTemplate
from notistream.domain.difference import Piece, difference
from notistream.domain.notification import CHANNEL_NAMES
from notistream.domain.template_text import TemplateText, TemplateVersion
from notistream.errors import FieldError, InvalidRequest, NotFound
from notistream.templates.starters import Starter, starters
from notistream.web.server.context import RUNTIME
from notistream.web.server.paths import path_id
from notistream.web.server.query import Query

SIZE = 50
VERSIONS = 50
NONE_YET = TemplateVersion(TemplateText(None, ""))


async def show_many(request: web.Request) -> web.Response:
    """Templates of tenants, newest first, then the starters."""
    query = read_fields(request.query)
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
        "templates/list.html",
        status=422 if errors else 200,
        errors=errors,
        found=found[:SIZE],
        values=values,
        first="before" not in request.query,
        newest=url(HERE, values),
        older=url(HERE, values, before=found[SIZE - 1].id) if len(found) > SIZE else None,
        tenants=await notification_search.tenant_names(db, [one.tenant_id for one in found]),
        suggestions=await suggested_names(db),
        new=url(f"{HERE}/new", values, name=None),
        starters=[one for one in starters().values() if values["channel"] in ("", one.channel)],
    )


async def _found(request: web.Request, query: Query) -> list[StoredTemplate]:
    db = request.app[RUNTIME].database
    before, channel = query.cursor("before"), query.channel()
    name, tenant = query.text("name"), query.text("tenant")
    query.check()
    owner = await find_tenant(db, tenant)
    if owner is None:
        return await rows.list_of_all(db, before=before, channel=channel, name=name, limit=SIZE + 1)
    return await rows.list_page(
        db, owner.id, before=before, channel=channel, name=name, limit=SIZE + 1
    )


async def begin(request: web.Request) -> web.Response:
    """An empty form for a channel, or one with a starter's text."""
    channel = CHANNEL_NAMES.get(request.query.get("channel", ""))
    tenant = request.query.get("tenant", "")
    if channel is None:
        return page(
            request,
            "templates/new.html",
            tenant=tenant,
            suggestions=await suggested_names(request.app[RUNTIME].database),
        )
    model = starters().get((channel, request.query.get("from", "")))
    head = TemplateHead(tenant=tenant, name=model.name if model else "", channel=channel)
    if model is None:
        return await editor.show(request, filled(head, NONE_YET))
    sample = await editor.sample(request.app[RUNTIME], model)
    return await editor.show(request, filled(head, model.content, sample))


async def show(request: web.Request) -> web.Response:
    """The editor; `version` shows the text of an older version, to save it as the newest."""
    template_id = path_id(request)
    model = editor.starter(template_id)
    if model is not None:
        return await _show_starter(request, model)
    runtime = request.app[RUNTIME]
    owned = await editor.owned(runtime, template_id)
    stored = owned.stored
    wanted = number(request.query.get("version")) or stored.version
    is_newest = wanted == stored.version
    content = stored.content if is_newest else await _version(request, owned, wanted)
    head = TemplateHead(
        tenant=owned.tenant.name,
        name=stored.name,
        channel=stored.channel,
        version=stored.version,
        is_active=stored.is_active,
    )
    form = filled(head, content, await editor.sample(runtime, stored))
    html_url = f"{HERE}/{template_id}/html" if is_newest else None
    older = None if is_newest else wanted
    return await editor.show(request, form, EditorState(owned, html_url=html_url, older=older))


async def _show_starter(request: web.Request, model: Starter) -> web.Response:
    head = TemplateHead(tenant="", name=model.name, channel=model.channel)
    form = filled(head, model.content, await editor.sample(request.app[RUNTIME], model))
    state = EditorState(starter=model, html_url=f"{HERE}/{model.id}/html")
    return await editor.show(request, form, state)


async def show_html(request: web.Request) -> web.Response:
    """The stored HTML with the variables' names as values, for a frame."""
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
    """The versions, newest first, and the difference of two; by default the last two."""
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
        "templates/versions.html",
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
    """The differences of two versions, by the name of each changed part."""
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
