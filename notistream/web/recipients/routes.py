"""Rows of the route table: recipients, device tokens, preferences, suppressions."""

from notistream.domain.notification import CHANNEL_NAMES
from notistream.domain.recipient import MAX_TOKENS
from notistream.domain.validation import MAX_RECIPIENT_ID
from notistream.web.preferences import handlers as preferences
from notistream.web.preferences.bodies import PutPreferences
from notistream.web.preferences.user_bodies import AnyPreferences, UserPreference
from notistream.web.recipients import examples, handlers, views
from notistream.web.recipients.bodies import (
    ForgetToken,
    Listing,
    PutRecipient,
    PutSuppression,
    RegisterToken,
    Suppressed,
)
from notistream.web.server.parameters import (
    BODY_PROBLEMS,
    CHANNEL,
    CURSOR,
    ITEM_PROBLEMS,
    LIST_PROBLEMS,
    SIZE,
    V1,
)
from notistream.web.server.route import Answer, Content, Operation, Parameter, Route
from notistream.web.suppressions import handlers as suppressions

RECIPIENT_ID = Parameter(
    name="recipient_id",
    description="The sender's own id of the recipient.",
    schema={"type": "string", "minLength": 1, "maxLength": MAX_RECIPIENT_ID},
)
TOKEN = Parameter(name="token", description="The device token.")
IN_CHANNEL = Parameter(
    name="channel",
    description="The channel.",
    schema={"type": "string", "enum": list(CHANNEL_NAMES)},
)
ADDRESS = Parameter(
    name="address", description="What the channel sends to; e-mail addresses in any case."
)
OF_ADDRESS = Parameter(
    name="address", description="Of exactly this address; e-mail addresses in any case."
)
OF_CATEGORY = Parameter(name="category", description="Of exactly this category.")

REMOVED = Answer(description="Done.", media_type=None)
RECIPIENT = Content(type=views.RecipientView, examples=examples.RECIPIENT_SHOWN)
PREFERENCES = Answer(
    description="What holds.",
    content=Content(type=views.PreferencesView, examples=examples.PREFERENCES_SHOWN),
)
USER_PREFERENCES = Answer(
    description="What holds.",
    content=Content(type=views.UserPreferencesView, examples=examples.USER_PREFERENCES_SHOWN),
)
SUPPRESSION = Content(type=views.SuppressionView, examples=examples.SUPPRESSION_SHOWN)
PUT_SUPPRESSION = {
    200: Answer(description="Was on the list; reason and note are replaced.", content=SUPPRESSION),
    201: Answer(description="Is on the list now.", content=SUPPRESSION),
}

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
            answers={204: REMOVED},
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
            answers={204: REMOVED},
            problems=ITEM_PROBLEMS,
        ),
    ),
)

WISHES = (
    Route(
        method="GET",
        path=V1 + "/recipients/{recipient_id}/preferences",
        handler=preferences.show,
        operation=Operation(
            id="getPreferences",
            tag="Recipients",
            summary="Show what a recipient wishes",
            path=(RECIPIENT_ID,),
            description="Defaults for whatever was never said; the recipient need not be stored.",
            answers={200: PREFERENCES},
            problems=LIST_PROBLEMS,
        ),
    ),
    Route(
        method="PUT",
        path=V1 + "/recipients/{recipient_id}/preferences",
        handler=preferences.put,
        operation=Operation(
            id="putPreferences",
            tag="Recipients",
            summary="Replace what a recipient wishes",
            path=(RECIPIENT_ID,),
            description=(
                "Quiet hours are in the recipient's time zone. What is left out goes back to its"
                " default."
            ),
            body=Content(
                type=PutPreferences, examples={"night and marketing off": examples.PREFERENCES}
            ),
            answers={200: PREFERENCES},
            problems=BODY_PROBLEMS,
        ),
    ),
    Route(
        method="GET",
        path=V1 + "/users/{recipient_id}/preferences",
        handler=preferences.show_user,
        operation=Operation(
            id="getUserPreferences",
            tag="Recipients",
            summary="Show what a recipient wishes, flat too",
            path=(RECIPIENT_ID,),
            description="For clients of the second seed's system: `data` has each channel.",
            answers={200: USER_PREFERENCES},
            problems=LIST_PROBLEMS,
        ),
    ),
    Route(
        method="PUT",
        path=V1 + "/users/{recipient_id}/preferences",
        handler=preferences.put_user,
        operation=Operation(
            id="putUserPreferences",
            tag="Recipients",
            summary="Replace what a recipient wishes of channels",
            path=(RECIPIENT_ID,),
            description=(
                "One channel as a flat object, several under `preferences`, or a body as"
                " /recipients/{recipient_id}/preferences takes it. Of the first two, other channels"
                " are left alone."
            ),
            body=Content(
                type=AnyPreferences,
                examples={
                    "one channel": examples.USER_PREFERENCE,
                    "several": examples.USER_PREFERENCES,
                    "everything": examples.PREFERENCES,
                },
            ),
            answers={200: USER_PREFERENCES},
            problems=BODY_PROBLEMS,
        ),
    ),
    Route(
        method="PUT",
        path=V1 + "/users/{recipient_id}/preferences/{channel}",
        handler=preferences.put_user_channel,
        operation=Operation(
            id="putUserPreference",
            tag="Recipients",
            summary="Replace what a recipient wishes of a channel",
            path=(RECIPIENT_ID, IN_CHANNEL),
            body=Content(type=UserPreference, examples={"one channel": examples.USER_PREFERENCE}),
            answers={200: USER_PREFERENCES},
            problems=BODY_PROBLEMS,
        ),
    ),
    Route(
        method="DELETE",
        path=V1 + "/users/{recipient_id}/preferences/{channel}",
        handler=preferences.drop_user_channel,
        operation=Operation(
            id="deleteUserPreference",
            tag="Recipients",
            summary="Take back what a recipient wishes of a channel",
            path=(RECIPIENT_ID, IN_CHANNEL),
            answers={204: REMOVED},
            problems=ITEM_PROBLEMS,
        ),
    ),
)

SUPPRESSIONS = (
    Route(
        method="GET",
        path=V1 + "/suppressions",
        handler=suppressions.show_many,
        operation=Operation(
            id="listSuppressions",
            tag="Recipients",
            summary="List addresses that are not sent to",
            query=(CHANNEL, OF_ADDRESS, OF_CATEGORY, CURSOR, SIZE),
            answers={
                200: Answer(
                    description="A page.",
                    content=Content(type=views.SuppressionPage, examples=examples.SUPPRESSION_PAGE),
                )
            },
            problems=LIST_PROBLEMS,
        ),
    ),
    Route(
        method="PUT",
        path=V1 + "/suppressions",
        handler=suppressions.put,
        operation=Operation(
            id="putSuppression",
            tag="Recipients",
            summary="Stop sending to an address",
            body=Content(
                type=PutSuppression,
                examples={"bounce": examples.BOUNCED, "one category": examples.OPTED_OUT},
            ),
            answers=PUT_SUPPRESSION,
            problems=BODY_PROBLEMS,
        ),
    ),
    Route(
        method="DELETE",
        path=V1 + "/suppressions",
        handler=suppressions.remove,
        operation=Operation(
            id="deleteSuppression",
            tag="Recipients",
            summary="Send to an address again",
            body=Content(type=Suppressed, examples={"address": examples.SUPPRESSED}),
            answers={204: REMOVED},
            problems=(*BODY_PROBLEMS, 404),
        ),
    ),
    Route(
        method="PUT",
        path=V1 + "/suppressions/{channel}/{address}",
        handler=suppressions.put_of_path,
        operation=Operation(
            id="putSuppressionOfAddress",
            tag="Recipients",
            summary="Stop sending to the address in the path",
            path=(IN_CHANNEL, ADDRESS),
            body=Content(type=Listing, examples={"complaint": examples.COMPLAINED}, required=False),
            answers=PUT_SUPPRESSION,
            problems=BODY_PROBLEMS,
        ),
    ),
    Route(
        method="DELETE",
        path=V1 + "/suppressions/{channel}/{address}",
        handler=suppressions.remove_of_path,
        operation=Operation(
            id="deleteSuppressionOfAddress",
            tag="Recipients",
            summary="Send to the address in the path again",
            path=(IN_CHANNEL, ADDRESS),
            query=(OF_CATEGORY,),
            answers={204: REMOVED},
            problems=ITEM_PROBLEMS,
        ),
    ),
)

RECIPIENT_ROUTES = (*RECIPIENTS, *WISHES, *SUPPRESSIONS)
