"""The row of the route table for bulk."""

from notistream.web.notifications import bulk, examples, views
from notistream.web.server.parameters import CREATE_PROBLEMS, V1
from notistream.web.server.route import Answer, Content, Operation, Route

EXAMPLE = {
    "channel": "email",
    "template_id": "welcome",
    "category": "marketing",
    "payload": {"name": "there"},
    "recipients": [
        {"recipient_id": "user-123", "payload": {"name": "Alice"}},
        {"recipient": "bob@example.com"},
    ],
}

BULK = (
    Route(
        method="POST",
        path=V1 + "/notifications/bulk",
        handler=bulk.create_bulk,
        operation=Operation(
            id="createBulk",
            tag="Notifications",
            summary="Accept one message to up to 1000 recipients",
            description=(
                "As a batch of notifications that have everything in common but the recipient and,"
                " over the common ones, its template variables; each recipient is answered on its"
                " own, in order. There is no `idempotency_key` in this body, because a key is one"
                " notification's: send the Idempotency-Key header."
            ),
            body=Content(type=bulk.CreateBulk, examples={"two": EXAMPLE}),
            answers={
                202: Answer(
                    description="Accepted, with the refused recipients in their places.",
                    content=Content(type=views.BatchAccepted, examples=examples.BATCH_ACCEPTED),
                    headers={"Location": "Where to follow the batch."},
                )
            },
            problems=CREATE_PROBLEMS,
            idempotent=True,
        ),
    ),
)
