"""Rows of the route table: outbound webhooks."""

from notistream.web.server.parameters import (
    BODY_PROBLEMS,
    CREATE_PROBLEMS,
    CURSOR,
    EMPTY_BODY,
    ITEM_PROBLEMS,
    LIST_PROBLEMS,
    SIZE,
    UUID,
)
from notistream.web.server.route import Answer, Content, Operation, Parameter, Route
from notistream.web.webhooks import bodies, examples, handlers, views

TAG = "Webhooks"
BASE = handlers.BASE
STATUS = Parameter(
    name="status",
    description="That are so.",
    schema={"type": "string", "enum": list(handlers.STATUSES)},
)
KIND = Parameter(
    name="event_type",
    description="Of this type.",
    schema={"type": "string", "enum": list(handlers.KINDS)},
)
DELIVERY_ID = Parameter(name="delivery_id", description="The header `webhook-id`.", schema=UUID)
SECRET_SHOWN = Content(type=views.WebhookView, examples=examples.CREATED)
SHOWN = Content(type=views.WebhookView, examples=examples.SHOWN)
CHANGING = (*CREATE_PROBLEMS, 404)

ENDPOINTS = (
    Route(
        method="POST",
        path=BASE,
        handler=handlers.create,
        operation=Operation(
            id="createWebhook",
            tag=TAG,
            summary="Register an endpoint",
            description=(
                "Calls are signed as in Standard Webhooks. The secret is shown in this answer"
                " and never again."
            ),
            body=Content(
                type=bodies.PutWebhook,
                examples={
                    "all events": examples.ALL_EVENTS,
                    "some, own secret": examples.SOME_EVENTS,
                },
            ),
            answers={
                201: Answer(
                    description="Registered.",
                    content=SECRET_SHOWN,
                    headers={"Location": "The endpoint."},
                )
            },
            problems=CREATE_PROBLEMS,
        ),
    ),
    Route(
        method="GET",
        path=BASE,
        handler=handlers.show_many,
        operation=Operation(
            id="listWebhooks",
            tag=TAG,
            summary="List endpoints, newest first",
            query=(CURSOR, SIZE),
            answers={
                200: Answer(
                    description="A page.",
                    content=Content(type=views.WebhookPage, examples=examples.PAGE),
                )
            },
            problems=LIST_PROBLEMS,
        ),
    ),
    Route(
        method="GET",
        path=BASE + "/{id}",
        handler=handlers.show,
        operation=Operation(
            id="getWebhook",
            tag=TAG,
            summary="Show an endpoint",
            answers={200: Answer(description="The endpoint.", content=SHOWN)},
            problems=ITEM_PROBLEMS,
        ),
    ),
    Route(
        method="PUT",
        path=BASE + "/{id}",
        handler=handlers.put,
        operation=Operation(
            id="putWebhook",
            tag=TAG,
            summary="Replace an endpoint",
            description=(
                "A field that is left out gets its default, except the secret, which stays. A new"
                " secret is rotated to. Switching on an endpoint lets what it waits for go out."
            ),
            body=Content(
                type=bodies.PutWebhook,
                examples={"all events": examples.ALL_EVENTS, "off": examples.OFF},
            ),
            answers={200: Answer(description="The endpoint as it is now.", content=SHOWN)},
            problems=CHANGING,
        ),
    ),
    Route(
        method="DELETE",
        path=BASE + "/{id}",
        handler=handlers.delete,
        operation=Operation(
            id="deleteWebhook",
            tag=TAG,
            summary="Delete an endpoint and its deliveries",
            answers={204: Answer(description="Done.", media_type=None)},
            problems=ITEM_PROBLEMS,
        ),
    ),
    Route(
        method="POST",
        path=BASE + "/{id}/rotate-secret",
        handler=handlers.rotate,
        operation=Operation(
            id="rotateWebhookSecret",
            tag=TAG,
            summary="Sign with a new secret",
            description=(
                "For 24 hours each call has two signatures; the second uses the old secret."
            ),
            body=Content(
                type=bodies.RotateSecret,
                required=False,
                examples={"a new one is made": {}, "own secret": examples.OWN_SECRET},
            ),
            answers={
                200: Answer(description="The endpoint, with the new secret.", content=SECRET_SHOWN)
            },
            problems=(*BODY_PROBLEMS, 404),
        ),
    ),
    Route(
        method="POST",
        path=BASE + "/{id}/test",
        handler=handlers.test,
        operation=Operation(
            id="testWebhook",
            tag=TAG,
            summary="Send a test event",
            description="Its type is `webhook.test`.",
            body=EMPTY_BODY,
            answers={
                202: Answer(
                    description="Queued.",
                    content=Content(type=views.DeliveryView, examples=examples.QUEUED),
                    headers={"Location": "Where to see what came of it."},
                )
            },
            problems=CHANGING,
        ),
    ),
)

DELIVERIES = (
    Route(
        method="GET",
        path=BASE + "/{id}/deliveries",
        handler=handlers.show_deliveries,
        operation=Operation(
            id="listWebhookDeliveries",
            tag=TAG,
            summary="List an endpoint's deliveries, newest first",
            description="Kept for 90 days.",
            query=(STATUS, KIND, CURSOR, SIZE),
            answers={
                200: Answer(
                    description="A page.",
                    content=Content(type=views.DeliveryPage, examples=examples.DELIVERIES),
                )
            },
            problems=ITEM_PROBLEMS,
        ),
    ),
    Route(
        method="GET",
        path=BASE + "/{id}/deliveries/{delivery_id}",
        handler=handlers.show_delivery,
        operation=Operation(
            id="getWebhookDelivery",
            tag=TAG,
            summary="Show a delivery: what was sent, and every call",
            path=(DELIVERY_ID,),
            answers={
                200: Answer(
                    description="The delivery.",
                    content=Content(type=views.WholeDeliveryView, examples=examples.DELIVERY_SHOWN),
                )
            },
            problems=ITEM_PROBLEMS,
        ),
    ),
    Route(
        method="POST",
        path=BASE + "/{id}/redeliver",
        handler=handlers.redeliver,
        operation=Operation(
            id="redeliverWebhook",
            tag=TAG,
            summary="Send deliveries again",
            description=(
                f"One, or all of a span of time; due at once, with up to {bodies.ATTEMPTS} attempts"
                " again, and under the same `webhook-id`. One whose call is under way is left"
                " alone."
            ),
            body=Content(
                type=bodies.Redeliver,
                examples={
                    "one": examples.ONE,
                    "failed ones": examples.SPAN,
                    "everything": examples.EVERYTHING,
                },
            ),
            answers={
                202: Answer(
                    description="How many.",
                    content=Content(type=views.Redelivered, examples=examples.REDELIVERED),
                )
            },
            problems=CHANGING,
        ),
    ),
)

WEBHOOKS = (*ENDPOINTS, *DELIVERIES)
