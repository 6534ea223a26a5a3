"""Bulk: one message to many recipients; its body, and its handler."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Required, cast

from aiohttp import web
from pydantic import Field, TypeAdapter, WrapValidator, with_config

from notistream.db.records import StoredNotification
from notistream.domain.draft import Draft
from notistream.errors import FieldError, InvalidRequest, NotiStreamError
from notistream.sending.acceptance import Caller
from notistream.web.notifications import rendering
from notistream.web.notifications.bodies import (
    STRICT,
    Addressed,
    CreateNotification,
    Said,
    apart,
    draft,
    either,
)
from notistream.web.notifications.views import NotificationView, Problem
from notistream.web.server import problems
from notistream.web.server.body import large_body, parse
from notistream.web.server.context import CALLER, LARGE_BODIES, RUNTIME
from notistream.web.server.fields import JsonObject
from notistream.web.server.idempotency import once
from notistream.web.server.respond import answer

MAX_RECIPIENTS = 1000


@with_config(STRICT)
class BulkRecipient(Addressed, total=False):
    """One of those who get the message, with values of its own for the template."""

    template_variables: Annotated[
        JsonObject | None, Field(description="Values for the template, over those of the message.")
    ]
    payload: Annotated[JsonObject | None, Field(description="Alias of `template_variables`.")]


@with_config(STRICT)
class CreateBulk(Said, total=False):
    """One message to 1 to 1000 recipients, each accepted or refused on its own."""

    recipients: Required[
        Annotated[
            list[Annotated[BulkRecipient, WrapValidator(apart)]],
            Field(min_length=1, max_length=MAX_RECIPIENTS),
        ]
    ]


OWN_FIELDS = tuple(f"/{name}" for name in BulkRecipient.__annotations__)
CREATE_BULK: TypeAdapter[CreateBulk] = TypeAdapter(CreateBulk)


async def create_bulk(request: web.Request) -> web.Response:
    async with large_body(request, request.app[LARGE_BODIES]) as body:
        return await once(request, body, partial(_create_bulk, request, body))


async def _create_bulk(request: web.Request, body: bytes) -> web.Response:
    sender = request[CALLER]
    result = await request.app[RUNTIME].notifications.create_batch(
        drafts(parse(CREATE_BULK, body)), sender, atomic=False
    )
    items = [_item(item, index=index, sender=sender) for index, item in enumerate(result.items)]
    return answer(
        {"batch": rendering.batch(result.batch), "notifications": items},
        status=202,
        location=f"/api/v1/batches/{result.batch.id}",
    )


def drafts(wanted: CreateBulk) -> list[Draft | InvalidRequest]:
    """A draft for each recipient, in order.

    Raises InvalidRequest where the message itself contradicts itself.
    """
    common: Mapping[str, Any] = {
        name: value
        for name, value in wanted.items()
        if name not in ("recipients", "template_variables", "payload")
    }
    variables = _variables(wanted)
    return [
        _draft(recipient, index, common, variables)
        for index, recipient in enumerate(wanted["recipients"])
    ]


def _draft(
    recipient: BulkRecipient | InvalidRequest,
    index: int,
    common: Mapping[str, Any],
    variables: JsonObject,
) -> Draft | InvalidRequest:
    if isinstance(recipient, InvalidRequest):
        return InvalidRequest(
            [FieldError(f"/recipients/{index}{e.pointer}", e.message) for e in recipient.errors]
        )
    try:
        own = _variables(recipient)
        return draft(
            cast(
                "CreateNotification",
                {
                    **common,
                    **{name: value for name, value in recipient.items() if name != "payload"},
                    "template_variables": {**variables, **own} if own else variables,
                },
            )
        )
    except InvalidRequest as exc:
        return exc


def _variables(of: CreateBulk | BulkRecipient) -> JsonObject:
    return (
        either(
            of.get("template_variables"),
            of.get("payload"),
            alias="payload",
            of="template_variables",
        )
        or {}
    )


def _item(
    item: StoredNotification | NotiStreamError, *, index: int, sender: Caller
) -> NotificationView | Problem:
    if isinstance(item, StoredNotification):
        return rendering.notification(item)
    if isinstance(item, InvalidRequest):
        item = InvalidRequest(
            [FieldError(_place(e.pointer, index), e.message) for e in item.errors]
        )
    return problems.problem(
        item, trace_id=problems.trace_id(sender.correlation_id, sender.traceparent)
    )


def _place(pointer: str, index: int) -> str:
    """What is wrong with the message is said of the message, not of each recipient."""
    own = pointer.startswith(OWN_FIELDS) and not pointer.startswith("/recipients/")
    return f"/recipients/{index}{pointer}" if own else pointer
