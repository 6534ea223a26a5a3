"""The sandbox over HTTP: what test keys sent, as its recipients would have got it."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from aiohttp import web
from pydantic import Field
from typing_extensions import TypedDict

from notistream.db import sandbox
from notistream.web.server.context import CALLER, own
from notistream.web.server.query import Query
from notistream.web.server.respond import answer


class SandboxMessageView(TypedDict):
    """A message that was kept instead of sent."""

    id: UUID
    notification_id: UUID
    channel: str
    recipient: str
    recipient_id: str | None
    subject: str | None
    content: str
    html: str | None
    headers: Annotated[dict[str, str], Field(description="Header fields of an e-mail.")]
    payload: dict[str, Any]
    outcome: Annotated[
        str,
        Field(description="`delivered`, or the failure that the recipient's address asked for."),
    ]
    tries: Annotated[
        int, Field(description="How often it was sent: retries come with the same key.")
    ]
    created_at: datetime


class SandboxPage(TypedDict):
    """Newest first; `next_cursor` is null on the last page."""

    data: list[SandboxMessageView]
    next_cursor: UUID | None


async def show_many(request: web.Request) -> web.Response:
    query = Query(request.query)
    size, before, recipient, channel = (
        query.page_size(),
        query.cursor(),
        query.text("recipient"),
        query.channel(),
    )
    query.check()
    found = await sandbox.list_page(
        own(request),
        request[CALLER].tenant_id,
        before=before,
        recipient=recipient,
        channel=channel,
        limit=size + 1,
    )
    return answer(
        {
            "data": [asdict(message) for message in found[:size]],
            "next_cursor": found[size - 1].id if len(found) > size else None,
        }
    )
