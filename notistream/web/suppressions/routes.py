"""Rows of the route table for the suppression list."""

from notistream.web.server.parameters import (
    BODY_PROBLEMS,
    CHANNEL,
    CURSOR,
    DONE,
    ITEM_PROBLEMS,
    LIST_PROBLEMS,
    PATH_CHANNEL,
    SIZE,
    V1,
)
from notistream.web.server.route import Answer, Content, Operation, Parameter, Route
from notistream.web.suppressions import examples, handlers, views
from notistream.web.suppressions.bodies import Listing, PutSuppression, Suppressed

ADDRESS = Parameter(
    name="address", description="What the channel sends to; e-mail addresses in any case."
)

OF_ADDRESS = Parameter(
    name="address", description="Of exactly this address; e-mail addresses in any case."
)

OF_CATEGORY = Parameter(name="category", description="Of exactly this category.")

SUPPRESSION = Content(type=views.SuppressionView, examples=examples.SUPPRESSION_SHOWN)

PUT_SUPPRESSION = {
    200: Answer(
        description="It was on the list; reason and note are replaced.", content=SUPPRESSION
    ),
    201: Answer(description="It is on the list now.", content=SUPPRESSION),
}

SUPPRESSIONS = (
    Route(
        method="GET",
        path=V1 + "/suppressions",
        handler=handlers.show_many,
        operation=Operation(
            id="listSuppressions",
            tag="Recipients",
            summary="List suppressed addresses",
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
        handler=handlers.put,
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
        handler=handlers.remove,
        operation=Operation(
            id="deleteSuppression",
            tag="Recipients",
            summary="Send to an address again",
            body=Content(type=Suppressed, examples={"address": examples.SUPPRESSED}),
            answers={204: DONE},
            problems=(*BODY_PROBLEMS, 404),
        ),
    ),
    Route(
        method="PUT",
        path=V1 + "/suppressions/{channel}/{address}",
        handler=handlers.put_of_path,
        operation=Operation(
            id="putSuppressionOfAddress",
            tag="Recipients",
            summary="Stop sending to the address in the path",
            path=(PATH_CHANNEL, ADDRESS),
            body=Content(type=Listing, examples={"complaint": examples.COMPLAINED}, required=False),
            answers=PUT_SUPPRESSION,
            problems=BODY_PROBLEMS,
        ),
    ),
    Route(
        method="DELETE",
        path=V1 + "/suppressions/{channel}/{address}",
        handler=handlers.remove_of_path,
        operation=Operation(
            id="deleteSuppressionOfAddress",
            tag="Recipients",
            summary="Send to the address in the path again",
            path=(PATH_CHANNEL, ADDRESS),
            query=(OF_CATEGORY,),
            answers={204: DONE},
            problems=ITEM_PROBLEMS,
        ),
    ),
)
