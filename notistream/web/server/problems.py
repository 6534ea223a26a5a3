"""Errors as RFC 9457 problems."""

from collections.abc import Mapping
from typing import Annotated, NotRequired
from uuid import UUID

from aiohttp import web
from pydantic import Field
from typing_extensions import TypedDict

from notistream.errors import (
    AdminOnly,
    InvalidRequest,
    NotiStreamError,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)
from notistream.sending.acceptance import DuplicateKey
from notistream.web.notifications import views
from notistream.web.notifications.views import NotificationView
from notistream.web.server.respond import answer

MEDIA_TYPE = "application/problem+json"
TYPE = "/docs/errors#"


class FieldProblem(TypedDict):
    """One wrong place."""

    pointer: Annotated[
        str,
        Field(
            description=(
                "JSON pointer into the body; /path/NAME, /query/NAME and /header/NAME for what is"
                " not in it."
            )
        ),
    ]
    message: str


class Problem(TypedDict):
    """RFC 9457, with a stable `code`.

    `error` repeats the detail for clients that look for it there.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldProblem]
    trace_id: str
    error: str
    id: NotRequired[
        Annotated[UUID, Field(description="With code duplicate_idempotency_key: who has the key.")]
    ]
    notification: NotRequired[NotificationView]


def trace_id(correlation_id: str, traceparent: str | None) -> str:
    """Return the id to search traces and logs for."""
    return traceparent[3:35] if traceparent else correlation_id


def problem(error: NotiStreamError, *, trace_id: str, below: str = "") -> Problem:
    """Fill a problem; `below` is the pointer of the item that the error is about."""
    errors = error.errors if isinstance(error, InvalidRequest) else ()
    shown: Problem = {
        "type": TYPE + error.code,
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "errors": [{"pointer": below + e.pointer, "message": e.message} for e in errors],
        "trace_id": trace_id,
        "error": error.detail,
    }
    if isinstance(error, DuplicateKey):
        shown["id"] = error.existing.id
        shown["notification"] = views.notification(error.existing)
    return shown


def response(error: NotiStreamError, *, trace_id: str) -> web.Response:
    """Return the problem with its headers; close a connection whose body was not read."""
    sent = answer(
        problem(error, trace_id=trace_id),
        status=error.status,
        content_type=MEDIA_TYPE,
        headers=_headers(error),
    )
    if error.status in (408, 413, 415):
        sent.force_close()
    return sent


def _headers(error: NotiStreamError) -> Mapping[str, str]:
    match error:
        case Unavailable() | TooManyRequests():
            return {"Retry-After": str(error.retry_after_s)}
        case DuplicateKey():
            return {"Location": f"/api/v1/notifications/{error.existing.id}"}
        case AdminOnly():
            return {"WWW-Authenticate": 'AdminToken realm="notistream", header="X-Admin-Token"'}
        case Unauthorized():
            return {"WWW-Authenticate": 'ApiKey realm="notistream", header="X-API-Key"'}
        case _:
            return {}
