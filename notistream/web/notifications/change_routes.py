"""Rows of the route table: what is done to accepted notifications, previews and pauses.

With their examples.
"""

from dataclasses import replace
from datetime import timedelta

from notistream.db.pauses import Pause, StoredPause
from notistream.domain.notification import CHANNEL_NAMES
from notistream.domain.outcome import Step
from notistream.sending.changes import Recalled
from notistream.sending.preview import Preview, Would
from notistream.web.dead_letters.views import Nothing
from notistream.web.notifications import change_handlers, examples, rendering
from notistream.web.notifications import change_views as views
from notistream.web.notifications.bodies import CreateNotification
from notistream.web.notifications.views import BatchView, NotificationView
from notistream.web.server.parameters import BODY_PROBLEMS, ITEM_PROBLEMS, LIST_PROBLEMS, V1
from notistream.web.server.route import Answer, Content, Operation, Parameter, Route

LATER = examples.NOW + timedelta(hours=9)
QUIET = Preview(
    would=Would.DEFER,
    reason="quiet hours until 08:00",
    next_eligible_at=LATER,
    subject=None,
    content="Your code is 1234",
    provider="webhook",
    steps=[
        Step(gate="expiry", verdict="passed", reason="it has not expired"),
        Step(
            gate="quiet_hours",
            verdict="deferred",
            reason="quiet hours until 08:00",
            inputs={"start": "22:00", "end": "08:00", "timezone": "Europe/Istanbul"},
            next_eligible_at=LATER,
        ),
        Step(
            gate="recipient_limit",
            verdict="judged at delivery",
            reason="the worker of the recipient keeps this count",
            inputs={"limit": "60/60s"},
        ),
        Step(
            gate="provider",
            verdict="passed",
            reason="webhook would be called",
            inputs={"provider": "webhook"},
        ),
    ],
)
PAUSED = StoredPause(Pause("sms", "webhook"), "the vendor repairs something", examples.NOW)
SCHEDULED = replace(
    examples.PENDING,
    status="scheduled",
    seq=2,
    reason="rescheduled by the sender",
    scheduled_at=LATER,
    due_at=LATER,
)
RESOLVED = replace(examples.DELIVERED, reason="resolved by the sender: it was delivered")
AGAIN = replace(examples.PENDING, seq=2, chain=2)

CHANNEL = Parameter(
    name="channel",
    description="The channel.",
    schema={"type": "string", "enum": list(CHANNEL_NAMES)},
)
PROVIDER = Parameter(name="provider", description="One of the channel's providers.")
CHANGING = (*BODY_PROBLEMS, 404, 409)
NOTHING = Content(type=Nothing, examples={"nothing": {}}, required=False)
PAUSE_BODY = Content(
    type=views.PauseWanted,
    examples={"why": {"reason": "the vendor repairs something"}},
    required=False,
)
PAUSE_ANSWER = Answer(
    description="It is paused.",
    content=Content(type=views.PauseView, examples={"paused": views.pause(PAUSED)}),
)
RESUME_ANSWER = Answer(
    description="It goes on.",
    content=Content(
        type=views.ResumeView,
        examples={"resumed": {"channel": "sms", "provider": "webhook", "released": 42}},
    ),
)
HELD_BACK = (
    "Workers notice within about a second, and hold messages back: no attempt is used, and"
    " `expires_at` still holds."
)


def _shown(description: str, name: str, stored: object) -> Answer:
    return Answer(
        description=description, content=Content(type=NotificationView, examples={name: stored})
    )


ON_NOTIFICATIONS = (
    Route(
        method="POST",
        path=V1 + "/notifications/preview",
        handler=change_handlers.preview,
        operation=Operation(
            id="previewNotification",
            tag="Notifications",
            summary="Say what would become of a notification, and why",
            description=(
                "The same body as for a create. Checks, renders, and asks every gate; nothing is"
                " sent, stored or counted. The idempotency key is not looked at."
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
                200: Answer(
                    description="What would happen.",
                    content=Content(
                        type=views.PreviewView, examples={"quiet hours": views.preview(QUIET)}
                    ),
                )
            },
            problems=BODY_PROBLEMS,
        ),
    ),
    Route(
        method="POST",
        path=V1 + "/notifications/recall",
        handler=change_handlers.recall,
        operation=Operation(
            id="recallNotifications",
            tag="Notifications",
            summary="Cancel all that match and still wait",
            description=(
                "Newest first. What is being delivered at this moment, or was delivered, is too"
                " late."
            ),
            body=Content(
                type=views.RecallWanted,
                examples={
                    "of a template": {"template": "welcome_email", "channel": "email"},
                    "of a category": {"category": "marketing"},
                },
            ),
            answers={
                200: Answer(
                    description="What was cancelled.",
                    content=Content(
                        type=views.RecallView,
                        examples={"recalled": views.recalled(Recalled(980, 20))},
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
            summary="Change when a waiting notification is due",
            description=(
                "Only while it is pending, scheduled, retrying or deferred; the gates are asked"
                " again then."
            ),
            body=Content(
                type=views.RescheduleWanted,
                examples={
                    "later": {
                        "scheduled_at": "2030-01-01T09:00:00Z",
                        "expires_at": "2030-01-02T09:00:00Z",
                    },
                    "now": {"scheduled_at": None},
                },
            ),
            answers={
                200: _shown("The notification.", "scheduled", rendering.notification(SCHEDULED))
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
            summary="Say what became of one whose outcome is unknown",
            description="For those that were created with `on_unknown: hold`.",
            body=Content(
                type=views.ResolveWanted,
                examples={
                    "it arrived": {"outcome": "delivered"},
                    "send it again": {"outcome": "resend"},
                },
            ),
            answers={
                200: _shown("The notification.", "delivered", rendering.notification(RESOLVED))
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
            summary="Send once more what has ended",
            description=(
                "The same notification, in a new chain of attempts; an expiry that has passed no"
                " longer holds."
            ),
            body=NOTHING,
            answers={
                202: Answer(
                    description="Queued.",
                    content=Content(
                        type=NotificationView, examples={"queued": rendering.notification(AGAIN)}
                    ),
                    headers={"Location": "Where to follow it."},
                )
            },
            problems=CHANGING,
            idempotent=True,
        ),
    ),
    Route(
        method="POST",
        path=V1 + "/batches/{id}/cancel",
        handler=change_handlers.cancel_batch,
        operation=Operation(
            id="cancelBatch",
            tag="Notifications",
            summary="Cancel what still waits of a batch",
            body=NOTHING,
            answers={
                200: Answer(
                    description="The batch.",
                    content=Content(type=BatchView, examples=examples.BATCH_SHOWN),
                )
            },
            problems=(*BODY_PROBLEMS, 404),
        ),
    ),
)


def _pausing(what: str, path: str, names: tuple[Parameter, ...]) -> tuple[Route, Route]:
    """The two rows of a channel, or of one provider of it."""
    return (
        Route(
            method="PUT",
            path=path,
            handler=change_handlers.pause,
            admin=True,
            operation=Operation(
                id=f"pause{what.title()}",
                tag="Administration",
                summary=f"Pause a {what}",
                description=HELD_BACK,
                path=names,
                body=PAUSE_BODY,
                answers={200: PAUSE_ANSWER},
                problems=(*BODY_PROBLEMS, 404),
            ),
        ),
        Route(
            method="DELETE",
            path=path,
            handler=change_handlers.resume,
            admin=True,
            operation=Operation(
                id=f"resume{what.title()}",
                tag="Administration",
                summary=f"Resume a {what}",
                description=(
                    "Messages of the channel that were held back are due now. Repeating it does no"
                    " harm."
                ),
                path=names,
                answers={200: RESUME_ANSWER},
                problems=ITEM_PROBLEMS,
            ),
        ),
    )


PAUSES = (
    Route(
        method="GET",
        path="/internal/pauses",
        handler=change_handlers.show_pauses,
        admin=True,
        operation=Operation(
            id="listPauses",
            tag="Administration",
            summary="List what is paused",
            answers={
                200: Answer(
                    description="All pauses.",
                    content=Content(type=views.PausePage, examples={"one": views.pauses([PAUSED])}),
                )
            },
            problems=LIST_PROBLEMS,
        ),
    ),
    *_pausing("channel", "/internal/pauses/{channel}", (CHANNEL,)),
    *_pausing("provider", "/internal/pauses/{channel}/{provider}", (CHANNEL, PROVIDER)),
)

OPERATIONS = (*ON_NOTIFICATIONS, *PAUSES)
