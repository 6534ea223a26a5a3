"""Rows of the route table for replays of a time range, with their examples."""

from datetime import UTC, datetime
from uuid import UUID

from notistream.db.range_replays import Group, Range, StoredReplay
from notistream.dead_letters.range_replay import Survey
from notistream.web.replays import handlers, views
from notistream.web.server.parameters import (
    BODY_PROBLEMS,
    CREATE_PROBLEMS,
    CURSOR,
    EMPTY_BODY,
    ITEM_PROBLEMS,
    LIST_PROBLEMS,
    SIZE,
)
from notistream.web.server.route import Answer, Content, Operation, Route

SINCE, UNTIL = datetime(2026, 1, 31, 9, 0, tzinfo=UTC), datetime(2026, 1, 31, 10, 0, tzinfo=UTC)
ID = UUID("01970000-0000-7000-8000-0000000000ee")
MEANT = Range(since=SINCE, until=UNTIL, channel="sms")
RUNNING = StoredReplay(
    id=ID,
    range=MEANT,
    rate=100.0,
    state="running",
    total=1203,
    queued=400,
    skipped=3,
    last_id=None,
    created_at=datetime(2026, 1, 31, 11, 0, tzinfo=UTC),
    updated_at=datetime(2026, 1, 31, 11, 0, 4, tzinfo=UTC),
)
STOPPED = StoredReplay(
    id=ID,
    range=MEANT,
    rate=100.0,
    state="stopped",
    total=1203,
    queued=400,
    skipped=3,
    last_id=None,
    created_at=datetime(2026, 1, 31, 11, 0, tzinfo=UTC),
    updated_at=datetime(2026, 1, 31, 11, 0, 4, tzinfo=UTC),
)
SURVEY = Survey(
    [
        Group("sms", "failed", "welcome", "send", 1200, 2),
        Group("sms", "failed", None, "suppressed", 3, 0),
    ],
    0,
)

BASE = "/internal/replays"


def _one(description: str, found: StoredReplay) -> Answer:
    return Answer(
        description=description,
        content=Content(
            type=views.RangeReplayView, examples={found.state: views.replay_view(found)}
        ),
    )


REPLAYS = (
    Route(
        method="POST",
        path=BASE,
        handler=handlers.start,
        admin=True,
        operation=Operation(
            id="startReplay",
            tag="Administration",
            summary="Replay a time range",
            description=(
                'Without `"dry_run": false` it only says what would be sent. Workers then queue the'
                " notifications again at the rate given, each at most once per `id`; what would not"
                " be sent (expired, suppressed, turned off, delivered after all) is skipped. Give"
                " an `id` where you may have to repeat the request: one that was stopped goes on,"
                " one that runs or is finished stays as it is."
            ),
            body=Content(
                type=views.RangeReplayWanted,
                examples={
                    "what would be sent": {"since": SINCE, "until": UNTIL, "channel": "sms"},
                    "send": {
                        "since": SINCE,
                        "until": UNTIL,
                        "channel": "sms",
                        "rate": 100,
                        "id": ID,
                        "dry_run": False,
                    },
                },
            ),
            answers={
                200: Answer(
                    description="What would be sent.",
                    content=Content(
                        type=views.SurveyView, examples={"survey": views.survey_view(SURVEY, MEANT)}
                    ),
                ),
                202: Answer(
                    description="Started.",
                    content=Content(
                        type=views.RangeReplayView, examples={"running": views.replay_view(RUNNING)}
                    ),
                    headers={"Location": "Where to follow it."},
                ),
            },
            problems=CREATE_PROBLEMS,
        ),
    ),
    Route(
        method="GET",
        path=BASE,
        handler=handlers.show_many,
        admin=True,
        operation=Operation(
            id="listReplays",
            tag="Administration",
            summary="List replays of time ranges, newest first",
            query=(CURSOR, SIZE),
            answers={
                200: Answer(
                    description="A page.",
                    content=Content(
                        type=views.RangeReplayPage,
                        examples={
                            "page": {"data": [views.replay_view(RUNNING)], "next_cursor": None}
                        },
                    ),
                )
            },
            problems=LIST_PROBLEMS,
        ),
    ),
    Route(
        method="GET",
        path=BASE + "/{id}",
        handler=handlers.show,
        admin=True,
        operation=Operation(
            id="getReplay",
            tag="Administration",
            summary="Show how far a replay is",
            answers={200: _one("The replay.", RUNNING)},
            problems=ITEM_PROBLEMS,
        ),
    ),
    Route(
        method="POST",
        path=BASE + "/{id}/stop",
        handler=handlers.stop,
        admin=True,
        operation=Operation(
            id="stopReplay",
            tag="Administration",
            summary="Stop a replay",
            description=(
                "What is queued already is sent. POST /internal/replays with its `id` and range"
                " goes on with it."
            ),
            body=EMPTY_BODY,
            answers={
                200: _one("The replay as it is now; one that was finished stays so.", STOPPED)
            },
            problems=(*BODY_PROBLEMS, 404),
        ),
    ),
)
