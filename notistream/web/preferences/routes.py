"""Rows of the route table for preferences."""

from notistream.web.preferences import examples, handlers, views
from notistream.web.preferences.bodies import PutPreferences
from notistream.web.preferences.user_bodies import AnyPreferences, UserPreference
from notistream.web.server.parameters import (
    BODY_PROBLEMS,
    DONE,
    ITEM_PROBLEMS,
    LIST_PROBLEMS,
    PATH_CHANNEL,
    RECIPIENT_ID,
    V1,
)
from notistream.web.server.route import Answer, Content, Operation, Route

PREFERENCES_SHOWN = Answer(
    description="The preferences.",
    content=Content(type=views.PreferencesView, examples=examples.PREFERENCES_SHOWN),
)

USER_PREFERENCES_SHOWN = Answer(
    description="The preferences.",
    content=Content(type=views.UserPreferencesView, examples=examples.USER_PREFERENCES_SHOWN),
)

PREFERENCES = (
    Route(
        method="GET",
        path=V1 + "/recipients/{recipient_id}/preferences",
        handler=handlers.show,
        operation=Operation(
            id="getPreferences",
            tag="Recipients",
            summary="Show a recipient's preferences",
            path=(RECIPIENT_ID,),
            description="Unset preferences have their defaults; the recipient need not be stored.",
            answers={200: PREFERENCES_SHOWN},
            problems=LIST_PROBLEMS,
        ),
    ),
    Route(
        method="PUT",
        path=V1 + "/recipients/{recipient_id}/preferences",
        handler=handlers.put,
        operation=Operation(
            id="putPreferences",
            tag="Recipients",
            summary="Replace a recipient's preferences",
            path=(RECIPIENT_ID,),
            description=(
                "Quiet hours are in the recipient's time zone. A field that is left out gets its"
                " default."
            ),
            body=Content(
                type=PutPreferences, examples={"night and marketing off": examples.PREFERENCES}
            ),
            answers={200: PREFERENCES_SHOWN},
            problems=BODY_PROBLEMS,
        ),
    ),
    Route(
        method="GET",
        path=V1 + "/users/{recipient_id}/preferences",
        handler=handlers.show_user,
        operation=Operation(
            id="getUserPreferences",
            tag="Recipients",
            summary="Show a recipient's preferences, also as a flat list",
            path=(RECIPIENT_ID,),
            description="For clients of the second seed's system: `data` has each channel.",
            answers={200: USER_PREFERENCES_SHOWN},
            problems=LIST_PROBLEMS,
        ),
    ),
    Route(
        method="PUT",
        path=V1 + "/users/{recipient_id}/preferences",
        handler=handlers.put_user,
        operation=Operation(
            id="putUserPreferences",
            tag="Recipients",
            summary="Replace a recipient's preferences for channels",
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
            answers={200: USER_PREFERENCES_SHOWN},
            problems=BODY_PROBLEMS,
        ),
    ),
    Route(
        method="PUT",
        path=V1 + "/users/{recipient_id}/preferences/{channel}",
        handler=handlers.put_user_channel,
        operation=Operation(
            id="putUserPreference",
            tag="Recipients",
            summary="Replace a recipient's preferences for a channel",
            path=(RECIPIENT_ID, PATH_CHANNEL),
            body=Content(type=UserPreference, examples={"one channel": examples.USER_PREFERENCE}),
            answers={200: USER_PREFERENCES_SHOWN},
            problems=BODY_PROBLEMS,
        ),
    ),
    Route(
        method="DELETE",
        path=V1 + "/users/{recipient_id}/preferences/{channel}",
        handler=handlers.drop_user_channel,
        operation=Operation(
            id="deleteUserPreference",
            tag="Recipients",
            summary="Reset a recipient's preferences for a channel",
            path=(RECIPIENT_ID, PATH_CHANNEL),
            answers={204: DONE},
            problems=ITEM_PROBLEMS,
        ),
    ),
)
