"""Request bodies of webhooks, and the values they become."""

from typing import Annotated, Literal, Required
from uuid import UUID

from pydantic import Field, TypeAdapter, with_config
from typing_extensions import TypedDict

from notistream.db.webhooks import Wanted
from notistream.domain.validation import length_error
from notistream.domain.webhook import SCHEDULE_S
from notistream.domain.webhook_signature import LEAST, LONGEST, secret_error
from notistream.errors import FieldError, InvalidRequest
from notistream.web.server.fields import STRICT, Moment, Text, refuse_wrong
from notistream.webhooks.endpoints import Span

MAX_DESCRIPTION = 1000
EventType = Literal[
    "notification.delivered",
    "notification.failed",
    "notification.suppressed",
    "notification.cancelled",
    "notification.expired",
    "device_token.deactivated",
]
Secret = Annotated[
    str | None,
    Field(
        description=(
            f"Your own, of {LEAST} to {LONGEST} characters. After `whsec_` it is the key in base64,"
            " otherwise its UTF-8 bytes are the key. Left out: one is made."
        )
    ),
]


@with_config(STRICT)
class PutWebhook(TypedDict, total=False):
    """An endpoint that receives events."""

    url: Required[
        Annotated[
            str,
            Field(
                description=(
                    "Where events are POSTed to: https, port 80, 443 or one from 1024 on, and no"
                    " address of a private network, unless the operator allows it."
                )
            ),
        ]
    ]
    description: Annotated[
        Text | None, Field(description=f"For people; at most {MAX_DESCRIPTION} characters.")
    ]
    events: Annotated[
        list[EventType] | None,
        Field(description="Event types that it receives. Left out or empty: all."),
    ]
    is_active: Annotated[
        bool | None,
        Field(
            description=(
                "Default true. While it is false nothing new is queued, and what is queued waits."
            )
        ),
    ]
    secret: Secret


@with_config(STRICT)
class RotateSecret(TypedDict, total=False):
    """The new secret of an endpoint."""

    secret: Secret


@with_config(STRICT)
class Redeliver(TypedDict, total=False):
    """One delivery, or all of a span of time."""

    delivery_id: Annotated[
        UUID | None, Field(strict=False, description="This one, whatever came of it.")
    ]
    since: Annotated[Moment | None, Field(description="Events of this moment or later.")]
    until: Annotated[Moment | None, Field(description="Events before this moment. Default now.")]
    status: Annotated[
        Literal["failed", "delivered", "all"] | None,
        Field(description="Of a span: those that ended so. Default failed."),
    ]


PUT_WEBHOOK: TypeAdapter[PutWebhook] = TypeAdapter(PutWebhook)
ROTATE_SECRET: TypeAdapter[RotateSecret] = TypeAdapter(RotateSecret)
REDELIVER: TypeAdapter[Redeliver] = TypeAdapter(Redeliver)
STATUSES = {"failed": ["failed"], "delivered": ["delivered"], "all": ["failed", "delivered"]}
ATTEMPTS = len(SCHEDULE_S)


def endpoint(wanted: PutWebhook) -> tuple[Wanted, str | None]:
    """The endpoint and the secret that a body describes; raises InvalidRequest."""
    description, secret, active = (
        wanted.get("description"),
        wanted.get("secret"),
        wanted.get("is_active"),
    )
    refuse_wrong(
        {
            "/description": (
                None if description is None else length_error(description, MAX_DESCRIPTION)
            ),
            "/secret": None if secret is None else secret_error(secret),
        }
    )
    events = list(dict.fromkeys(wanted.get("events") or ()))
    return (
        Wanted(
            url=wanted["url"], description=description, events=events, is_active=active is not False
        ),
        secret,
    )


def new_secret(wanted: RotateSecret) -> str | None:
    """Raises InvalidRequest."""
    secret = wanted.get("secret")
    refuse_wrong({"/secret": None if secret is None else secret_error(secret)})
    return secret


def meant(wanted: Redeliver) -> UUID | Span:
    """Raises InvalidRequest unless it is exactly one of a delivery and a span."""
    one, since, until, status = (
        wanted.get("delivery_id"),
        wanted.get("since"),
        wanted.get("until"),
        wanted.get("status"),
    )
    if one is not None:
        refuse_wrong(
            {
                f"/{name}": "goes with `since`, not with `delivery_id`"
                for name, value in (("since", since), ("until", until), ("status", status))
                if value is not None
            }
        )
        return one
    if since is None:
        raise InvalidRequest([FieldError("/since", "is required, unless there is a `delivery_id`")])
    refuse_wrong(
        {"/until": "must lie after `since`" if until is not None and until <= since else None}
    )
    return Span(since, until, STATUSES[status or "failed"])
