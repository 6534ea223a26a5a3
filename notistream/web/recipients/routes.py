"""Rows of the route table: recipients and device tokens."""

from notistream.domain.recipient import MAX_TOKENS
from notistream.web.recipients import examples, handlers, views
from notistream.web.recipients.bodies import ForgetToken, PutRecipient, RegisterToken
from notistream.web.server.parameters import (
    BODY_PROBLEMS,
    CURSOR,
    DONE,
    ITEM_PROBLEMS,
    LIST_PROBLEMS,
    RECIPIENT_ID,
    SIZE,
    V1,
)
from notistream.web.server.route import Answer, Content, Operation, Parameter, Route

TOKEN = Parameter(name="token", description="The device token.")

RECIPIENT = Content(type=views.RecipientView, examples=examples.RECIPIENT_SHOWN)

RECIPIENTS = (
    Route(
        method="GET",
        path=V1 + "/recipients",
        handler=handlers.show_many,
        operation=Operation(
            id="listRecipients",
            tag="Recipients",
            summary="List recipients by id",
            query=(CURSOR, SIZE),
            answers={
                200: Answer(
                    description="A page.",
                    content=Content(type=views.RecipientPage, examples=examples.RECIPIENT_PAGE),
                )
            },
            problems=LIST_PROBLEMS,
        ),
    ),
    Route(
        method="GET",
        path=V1 + "/recipients/{recipient_id}",
        handler=handlers.show,
        operation=Operation(
            id="getRecipient",
            tag="Recipients",
            summary="Show a recipient",
            path=(RECIPIENT_ID,),
            answers={200: Answer(description="The recipient.", content=RECIPIENT)},
            problems=ITEM_PROBLEMS,
        ),
    ),
    Route(
        method="PUT",
        path=V1 + "/recipients/{recipient_id}",
        handler=handlers.put,
        operation=Operation(
            id="putRecipient",
            tag="Recipients",
            summary="Create or replace a recipient",
            path=(RECIPIENT_ID,),
            description=(
                "A field that is left out is unset. Push tokens that are left out stay, because"
                " devices register them on their own; an empty list removes them."
            ),
            body=Content(type=PutRecipient, examples={"contact": examples.CONTACT}),
            answers={
                200: Answer(description="Replaced.", content=RECIPIENT),
                201: Answer(description="Created.", content=RECIPIENT),
            },
            problems=BODY_PROBLEMS,
        ),
    ),
    Route(
        method="DELETE",
        path=V1 + "/recipients/{recipient_id}",
        handler=handlers.erase,
        operation=Operation(
            id="eraseRecipient",
            tag="Recipients",
            summary="Erase all personal data of a recipient",
            path=(RECIPIENT_ID,),
            description=(
                "Contacts, devices and preferences are deleted; of notifications to the recipient,"
                " by id or address, the address, texts, variables, traces and dead letters. What"
                " waits is cancelled. Counts and statuses stay, and so does every opt-out, without"
                " the readable address. May be repeated."
            ),
            answers={
                200: Answer(
                    description="Erased.",
                    content=Content(type=views.ErasedView, examples=examples.ERASED),
                )
            },
            problems=ITEM_PROBLEMS,
        ),
    ),
    Route(
        method="POST",
        path=V1 + "/device-tokens",
        handler=handlers.register_token,
        operation=Operation(
            id="registerDeviceToken",
            tag="Recipients",
            summary="Register or refresh a device token",
            description=(
                "The token becomes the recipient's newest, and no other recipient's. A recipient"
                f" who is not known is created; of more than {MAX_TOKENS} tokens the oldest is"
                " dropped."
            ),
            body=Content(
                type=RegisterToken,
                examples={
                    "recipient": examples.DEVICE,
                    "user of the second seed": examples.DEVICE_OF_USER,
                },
            ),
            answers={
                201: Answer(
                    description="Registered.",
                    content=Content(type=views.DeviceTokenView, examples=examples.DEVICE_SHOWN),
                )
            },
            problems=BODY_PROBLEMS,
        ),
    ),
    Route(
        method="DELETE",
        path=V1 + "/device-tokens",
        handler=handlers.forget_token,
        operation=Operation(
            id="deregisterDeviceToken",
            tag="Recipients",
            summary="Deregister a device token that does not fit in a path",
            body=Content(type=ForgetToken, examples={"token": examples.FORGET_DEVICE}),
            answers={204: DONE},
            problems=(*BODY_PROBLEMS, 404),
        ),
    ),
    Route(
        method="DELETE",
        path=V1 + "/device-tokens/{token}",
        handler=handlers.forget_token_of_path,
        operation=Operation(
            id="deleteDeviceToken",
            tag="Recipients",
            summary="Deregister a device token",
            path=(TOKEN,),
            answers={204: DONE},
            problems=ITEM_PROBLEMS,
        ),
    ),
)
