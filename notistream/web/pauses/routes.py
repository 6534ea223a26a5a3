"""Rows of the route table for pauses."""

from notistream.web.pauses import examples, handlers, views
from notistream.web.pauses.bodies import PauseWanted
from notistream.web.server.parameters import (
    BODY_PROBLEMS,
    ITEM_PROBLEMS,
    LIST_PROBLEMS,
    PATH_CHANNEL,
)
from notistream.web.server.route import Answer, Content, Operation, Parameter, Route

PROVIDER = Parameter(name="provider", description="One of the channel's providers.")

PAUSE_BODY = Content(
    type=PauseWanted,
    examples={"why": {"reason": "the vendor repairs something"}},
    required=False,
)

PAUSE_ANSWER = Answer(
    description="It is paused.",
    content=Content(type=views.PauseView, examples={"paused": views.pause(examples.PAUSED)}),
)

RESUME_ANSWER = Answer(
    description="It is resumed.",
    content=Content(
        type=views.ResumeView,
        examples={"resumed": {"channel": "sms", "provider": "webhook", "released": 42}},
    ),
)

HELD_BACK = (
    "Workers notice within about a second, and hold messages back: no attempt is used, and"
    " `expires_at` still holds."
)


def _pausing(what: str, path: str, names: tuple[Parameter, ...]) -> tuple[Route, Route]:
    """Return the rows that pause and resume a channel, or one of its providers."""
    return (
        Route(
            method="PUT",
            path=path,
            handler=handlers.pause,
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
            handler=handlers.resume,
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
        handler=handlers.show_pauses,
        admin=True,
        operation=Operation(
            id="listPauses",
            tag="Administration",
            summary="List pauses",
            answers={
                200: Answer(
                    description="All pauses.",
                    content=Content(
                        type=views.PausePage, examples={"one": views.pauses([examples.PAUSED])}
                    ),
                )
            },
            problems=LIST_PROBLEMS,
        ),
    ),
    *_pausing("channel", "/internal/pauses/{channel}", (PATH_CHANNEL,)),
    *_pausing("provider", "/internal/pauses/{channel}/{provider}", (PATH_CHANNEL, PROVIDER)),
)
