"""Typed client of the NotiStream HTTP API, blocking and asynchronous."""

from notistream_client.answers import (
    Batch,
    BatchAccepted,
    Notification,
    Page,
    Preview,
    Problem,
    StatusUpdate,
    Trace,
)
from notistream_client.clients import AsyncClient, Client
from notistream_client.errors import (
    ApiError,
    ClientError,
    Conflict,
    InvalidRequest,
    InvalidSignature,
    NotFound,
    TokenExpired,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
)
from notistream_client.records import InboxMessage, Preferences, Recipient, Template, Webhook
from notistream_client.retries import NO_RETRIES, Retries
from notistream_client.signature import verify
from notistream_client.streams import START
from notistream_client.version import __version__

__all__ = [
    "NO_RETRIES",
    "START",
    "ApiError",
    "AsyncClient",
    "Batch",
    "BatchAccepted",
    "Client",
    "ClientError",
    "Conflict",
    "InboxMessage",
    "InvalidRequest",
    "InvalidSignature",
    "NotFound",
    "Notification",
    "Page",
    "Preferences",
    "Preview",
    "Problem",
    "Recipient",
    "Retries",
    "StatusUpdate",
    "Template",
    "TokenExpired",
    "TooManyRequests",
    "Trace",
    "Unauthorized",
    "Unavailable",
    "UnexpectedAnswer",
    "Unreachable",
    "Webhook",
    "__version__",
    "verify",
]
