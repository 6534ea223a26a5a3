"""Rows of the route table for batches and bulk."""

from notistream.web.batches import bulk_handlers, examples, handlers, views
from notistream.web.batches.bodies import CreateBatch
from notistream.web.batches.bulk_bodies import CreateBulk
from notistream.web.server.parameters import (
    BODY_PROBLEMS,
    CREATE_PROBLEMS,
    EMPTY_BODY,
    ITEM_PROBLEMS,
    V1,
)
from notistream.web.server.route import Answer, Content, Operation, Parameter, Route

ATOMIC = Parameter(
    name="atomic",
    description="true: accept all items or none.",
    schema={"type": "boolean", "default": False},
)

BATCHES = (
    Route(
        method="POST",
        path=V1 + "/notifications/batch",
        handler=handlers.create,
        operation=Operation(
            id="createBatch",
            tag="Notifications",
            summary="Accept up to 1000 notifications",
            description=(
                "Each item is answered on its own, in order: the notification, or the problem"
                " with it."
            ),
            body=Content(type=CreateBatch, examples={"two": examples.BATCH}),
            query=(ATOMIC,),
            answers={
                202: Answer(
                    description="Accepted, with the refused items in their places.",
                    content=Content(type=views.BatchAccepted, examples=examples.BATCH_ACCEPTED),
                    headers={"Location": "Where to follow the batch."},
                )
            },
            problems=CREATE_PROBLEMS,
            idempotent=True,
        ),
    ),
    Route(
        method="POST",
        path=V1 + "/notifications/bulk",
        handler=bulk_handlers.create_bulk,
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
            body=Content(type=CreateBulk, examples={"two": examples.BULK}),
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
    Route(
        method="GET",
        path=V1 + "/batches/{id}",
        handler=handlers.show,
        operation=Operation(
            id="getBatch",
            tag="Notifications",
            summary="Show the progress of a batch",
            answers={
                200: Answer(
                    description="The batch.",
                    content=Content(type=views.BatchView, examples=examples.BATCH_SHOWN),
                )
            },
            problems=ITEM_PROBLEMS,
        ),
    ),
    Route(
        method="POST",
        path=V1 + "/batches/{id}/cancel",
        handler=handlers.cancel,
        operation=Operation(
            id="cancelBatch",
            tag="Notifications",
            summary="Cancel the waiting notifications of a batch",
            body=EMPTY_BODY,
            answers={
                200: Answer(
                    description="The batch.",
                    content=Content(type=views.BatchView, examples=examples.BATCH_SHOWN),
                )
            },
            problems=(*BODY_PROBLEMS, 404),
        ),
    ),
)
