"""The row of the route table for previews."""

from notistream.web.notifications import examples as notification_examples
from notistream.web.notifications.bodies import CreateNotification
from notistream.web.previews import examples, handlers, views
from notistream.web.server.parameters import BODY_PROBLEMS, V1
from notistream.web.server.route import Answer, Content, Operation, Route

PREVIEWS = (
    Route(
        method="POST",
        path=V1 + "/notifications/preview",
        handler=handlers.preview,
        operation=Operation(
            id="previewNotification",
            tag="Notifications",
            summary="Preview what would happen to a notification, and why",
            description=(
                "The same body as for a create. Checks, renders, and asks every gate; nothing is"
                " sent, stored or counted. The idempotency key is ignored."
            ),
            body=Content(
                type=CreateNotification,
                examples={
                    "sms": notification_examples.SMS,
                    "from a template": notification_examples.TEMPLATED,
                    "stored recipient": notification_examples.STORED_CONTACT,
                },
            ),
            answers={
                200: Answer(
                    description="What would happen.",
                    content=Content(
                        type=views.PreviewView,
                        examples={"quiet hours": views.preview(examples.QUIET)},
                    ),
                )
            },
            problems=BODY_PROBLEMS,
        ),
    ),
)
