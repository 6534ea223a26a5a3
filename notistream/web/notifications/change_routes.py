"""Rows of the route table for changes of accepted notifications."""

from notistream.sending.changes import Recalled
from notistream.web.notifications import (
    change_bodies,
    change_handlers,
    change_views,
    examples,
    views,
)
from notistream.web.server.parameters import BODY_PROBLEMS, EMPTY_BODY, V1
from notistream.web.server.route import Answer, Content, Operation, Route

CHANGING = (*BODY_PROBLEMS, 404, 409)


def _shown(description: str, name: str, stored: object) -> Answer:
    return Answer(
        description=description,
        content=Content(type=views.NotificationView, examples={name: stored}),
    )


CHANGES = (
    Route(
        method="POST",
        path=V1 + "/notifications/recall",
        handler=change_handlers.recall,
        operation=Operation(
            id="recallNotifications",
            tag="Notifications",
            summary="Cancel all waiting notifications that match",
            description=(
                "Newest first. What is being delivered at this moment, or was delivered, is too"
                " late."
            ),
            body=Content(
                type=change_bodies.RecallWanted,
                examples={
                    "of a template": {"template": "welcome_email", "channel": "email"},
                    "of a category": {"category": "marketing"},
                },
            ),
            answers={
                200: Answer(
                    description="What was cancelled.",
                    content=Content(
                        type=change_views.RecallView,
                        examples={"recalled": change_views.recalled(Recalled(980, 20))},
                    ),
                )
            },
            problems=BODY_PROBLEMS,
        ),
    ),
    Route(
        method="PATCH",
        path=V1 + "/notifications/{id}",
        handler=change_handlers.reschedule,
        operation=Operation(
            id="rescheduleNotification",
            tag="Notifications",
            summary="Reschedule a waiting notification",
            description=(
                "Only while it is pending, scheduled, retrying or deferred; the gates are asked"
                " again then."
            ),
            body=Content(
                type=change_bodies.RescheduleWanted,
                examples={
                    "later": {
                        "scheduled_at": "2030-01-01T09:00:00Z",
                        "expires_at": "2030-01-02T09:00:00Z",
                    },
                    "now": {"scheduled_at": None},
                },
            ),
            answers={
                200: _shown(
                    "The notification.", "scheduled", views.notification(examples.SCHEDULED)
                )
            },
            problems=CHANGING,
        ),
    ),
    Route(
        method="POST",
        path=V1 + "/notifications/{id}/resolve",
        handler=change_handlers.resolve,
        operation=Operation(
            id="resolveNotification",
            tag="Notifications",
            summary="Resolve a notification whose outcome is unknown",
            description="For those that were created with `on_unknown: hold`.",
            body=Content(
                type=change_bodies.ResolveWanted,
                examples={
                    "it arrived": {"outcome": "delivered"},
                    "send it again": {"outcome": "resend"},
                },
            ),
            answers={
                200: _shown("The notification.", "delivered", views.notification(examples.RESOLVED))
            },
            problems=CHANGING,
        ),
    ),
    Route(
        method="POST",
        path=V1 + "/notifications/{id}/resend",
        handler=change_handlers.resend,
        operation=Operation(
            id="resendNotification",
            tag="Notifications",
            summary="Send a finished notification again",
            description=(
                "The same notification, in a new chain of attempts; an expiry that has passed no"
                " longer holds."
            ),
            body=EMPTY_BODY,
            answers={
                202: Answer(
                    description="Queued.",
                    content=Content(
                        type=views.NotificationView,
                        examples={"queued": views.notification(examples.AGAIN)},
                    ),
                    headers={"Location": "Where to follow it."},
                )
            },
            problems=CHANGING,
            idempotent=True,
        ),
    ),
)
