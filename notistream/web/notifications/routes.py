"""Rows of the route table for notifications."""

from notistream.web.notifications import examples, handlers, trace_views, views
from notistream.web.notifications.bodies import CreateNotification
from notistream.web.server.parameters import (
    CHANNEL,
    CREATE_PROBLEMS,
    CURSOR,
    ITEM_PROBLEMS,
    LIST_PROBLEMS,
    MOMENT,
    SIZE,
    V1,
)
from notistream.web.server.parameters import UUID as UUID_SCHEMA
from notistream.web.server.route import Answer, Content, Operation, Parameter, Route

LIST_PARAMETERS = (
    Parameter(
        name="status",
        description=(
            "Any of these; repeat it or separate by commas. queued = pending, "
            "dropped = suppressed or expired."
        ),
        schema={
            "type": "array",
            "items": {"type": "string", "enum": list(handlers.STATUS_WORDS)},
        },
    ),
    CHANNEL,
    Parameter(name="recipient", description="To exactly this address."),
    Parameter(name="recipient_id", description="To this stored recipient."),
    Parameter(name="batch_id", description="Of this batch.", schema=UUID_SCHEMA),
    Parameter(name="template", description="Made from this template, by id or name."),
    Parameter(name="date_from", description="Created at or after this moment.", schema=MOMENT),
    Parameter(name="date_to", description="Created at or before this moment.", schema=MOMENT),
    CURSOR,
    SIZE,
)

CANCEL = Answer(
    description="The cancelled notification.",
    content=Content(type=views.NotificationView, examples=examples.CANCELLATION),
)

NOTIFICATIONS = (
    Route(
        method="POST",
        path=V1 + "/notifications",
        handler=handlers.create,
        operation=Operation(
            id="createNotification",
            tag="Notifications",
            summary="Accept a notification",
            description=(
                "Stored when the answer is sent; delivered in the background. Give an address or a"
                " stored recipient, and a text or a template."
            ),
            body=Content(
                type=CreateNotification,
                examples={
                    "sms": examples.SMS,
                    "from a template": examples.TEMPLATED,
                    "stored recipient": examples.STORED_CONTACT,
                },
            ),
            answers={
                202: Answer(
                    description="Accepted.",
                    content=Content(type=views.NotificationView, examples=examples.ACCEPTED),
                    headers={"Location": "Where to follow it."},
                )
            },
            problems=CREATE_PROBLEMS,
            idempotent=True,
        ),
    ),
    Route(
        method="GET",
        path=V1 + "/notifications",
        handler=handlers.show_many,
        operation=Operation(
            id="listNotifications",
            tag="Notifications",
            summary="List notifications, newest first",
            query=LIST_PARAMETERS,
            description=(
                "A page ends early where many do not match `status`, `channel`, `template` or the"
                " dates; it may then hold fewer than `page_size`, even none. The end is reached"
                " when `next_cursor` is null."
            ),
            answers={
                200: Answer(
                    description="A page.",
                    content=Content(type=views.NotificationPage, examples=examples.PAGE),
                )
            },
            problems=LIST_PROBLEMS,
        ),
    ),
    Route(
        method="GET",
        path=V1 + "/notifications/{id}",
        handler=handlers.show,
        operation=Operation(
            id="getNotification",
            tag="Notifications",
            summary="Show a notification",
            answers={
                200: Answer(
                    description="The notification.",
                    content=Content(type=views.NotificationView, examples=examples.SHOWN),
                )
            },
            problems=ITEM_PROBLEMS,
        ),
    ),
    Route(
        method="DELETE",
        path=V1 + "/notifications/{id}",
        handler=handlers.cancel,
        operation=Operation(
            id="deleteNotification",
            tag="Notifications",
            summary="Cancel a notification",
            description="The same as PATCH …/cancel.",
            answers={200: CANCEL},
            problems=(*ITEM_PROBLEMS, 409),
        ),
    ),
    Route(
        method="PATCH",
        path=V1 + "/notifications/{id}/cancel",
        handler=handlers.cancel,
        operation=Operation(
            id="cancelNotification",
            tag="Notifications",
            summary="Cancel a notification",
            description="Only while it is pending, scheduled, retrying or deferred.",
            answers={200: CANCEL},
            problems=(*ITEM_PROBLEMS, 409),
        ),
    ),
    Route(
        method="GET",
        path=V1 + "/notifications/{id}/trace",
        handler=handlers.trace,
        operation=Operation(
            id="traceNotification",
            tag="Notifications",
            summary="Show every decision and every attempt",
            answers={
                200: Answer(
                    description="The trace.",
                    content=Content(type=trace_views.TraceView, examples=examples.TRACED),
                )
            },
            problems=ITEM_PROBLEMS,
        ),
    ),
)
