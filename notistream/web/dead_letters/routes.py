"""Rows of the route table for dead letters, with their examples."""

from dataclasses import asdict
from datetime import UTC, datetime
from uuid import UUID

from notistream.db.dead_letters import DeadLetter, Kind, Kinds, WholeDeadLetter
from notistream.dead_letters.letters import ReplayCount
from notistream.web.dead_letters import handlers, views
from notistream.web.server.parameters import (
    BODY_PROBLEMS,
    CHANNEL,
    CURSOR,
    EMPTY_BODY,
    ITEM_PROBLEMS,
    LIST_PROBLEMS,
    MOMENT,
    SIZE,
)
from notistream.web.server.parameters import UUID as UUID_SCHEMA
from notistream.web.server.route import Answer, Content, Operation, Parameter, Route

NOW = datetime(2026, 1, 31, 9, 0, tzinfo=UTC)
LETTER = DeadLetter(
    id=UUID("01970000-0000-7000-8000-0000000000dd"),
    notification_id=UUID("01970000-0000-7000-8000-0000000000aa"),
    tenant_id=UUID("01970000-0000-7000-8000-000000000001"),
    channel="sms",
    reason="HTTP 400 bad request",
    attempts=1,
    chain=1,
    topic="notistream.sms.high",
    partition=3,
    offset=1207,
    created_at=NOW,
    replayed_at=None,
)
WHOLE = WholeDeadLetter(
    **asdict(LETTER),
    key=None,
    value=None,
    headers=[],
    notification_status="failed",
    history=[
        {
            "chain": 1,
            "number": 1,
            "provider": "webhook",
            "outcome": "permanent",
            "error": "HTTP 400 bad request",
            "started_at": "2026-01-31T09:00:00+00:00",
            "duration_ms": 12.5,
        }
    ],
)
REPLAYED = WholeDeadLetter(
    **{**asdict(WHOLE), "replayed_at": NOW, "notification_status": "pending"}
)
KINDS = Kinds(20, [Kind("sms", "HTTP 400 bad request", undecodable=False, count=20)])

BASE = "/internal/dlq"
SWITCH = {"type": "boolean"}
FILTERS = (
    Parameter(name="tenant_id", description="Of this tenant.", schema=UUID_SCHEMA),
    CHANNEL,
    Parameter(name="reason", description="Whose reason contains this, in any case."),
    Parameter(
        name="notification_id",
        description="Of this notification: one for each chain that failed.",
        schema=UUID_SCHEMA,
    ),
    Parameter(name="template", description="Made from this template, by id or name."),
    Parameter(name="since", description="Dead since this moment.", schema=MOMENT),
    Parameter(name="until", description="Dead before or at this moment.", schema=MOMENT),
    Parameter(
        name="replayed",
        description="true: only replayed ones; false: only those that wait.",
        schema=SWITCH,
    ),
    Parameter(name="unreplayed", description="true: the same as `replayed=false`.", schema=SWITCH),
    CURSOR,
    SIZE,
)
TENANT_ID = Parameter(
    name=views.TENANT_HEADER,
    description="The same as `tenant_id`; empty: any.",
    schema={"type": "string", "pattern": "^(|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$"},
)

DEAD_LETTERS = (
    Route(
        method="GET",
        path=BASE,
        handler=handlers.show_many,
        admin=True,
        operation=Operation(
            id="listDeadLetters",
            tag="Administration",
            summary="List dead letters, newest first",
            query=FILTERS,
            headers=(TENANT_ID,),
            answers={
                200: Answer(
                    description="A page.",
                    content=Content(
                        type=views.DeadLetterPage,
                        examples={"page": {"data": [views.entry(LETTER)], "next_cursor": None}},
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
            id="getDeadLetter",
            tag="Administration",
            summary="Show a dead letter with its history and its bytes",
            answers={
                200: Answer(
                    description="The dead letter.",
                    content=Content(
                        type=views.WholeDeadLetterView,
                        examples={"a refusal": views.whole_entry(WHOLE)},
                    ),
                )
            },
            problems=ITEM_PROBLEMS,
        ),
    ),
    Route(
        method="POST",
        path=BASE + "/{id}/replay",
        handler=handlers.replay,
        admin=True,
        operation=Operation(
            id="replayDeadLetter",
            tag="Administration",
            summary="Replay a dead letter",
            description=(
                "A failed delivery is queued again under a new chain; an undecodable record is"
                " produced again, as it was, to the topic that it came from. The second replay of a"
                " dead letter changes nothing."
            ),
            body=EMPTY_BODY,
            answers={
                200: Answer(
                    description="Replayed, now or before.",
                    content=Content(
                        type=views.WholeDeadLetterView,
                        examples={"replayed": views.whole_entry(REPLAYED)},
                    ),
                )
            },
            problems=(*BODY_PROBLEMS, 404, 409),
        ),
    ),
    Route(
        method="POST",
        path=BASE + "/replay",
        handler=handlers.replay_many,
        admin=True,
        operation=Operation(
            id="replayDeadLetters",
            tag="Administration",
            summary="Replay all dead letters that match",
            description=(
                "Without `dry_run` it starts at once. An empty object means every dead letter that"
                " waits."
            ),
            headers=(TENANT_ID,),
            body=Content(
                type=views.ReplayWanted,
                examples={
                    "what would it be": {"channel": "sms", "reason": "HTTP 400", "dry_run": True},
                    "do it": {"channel": "sms", "reason": "HTTP 400"},
                },
            ),
            answers={
                200: Answer(
                    description="What was found and done.",
                    content=Content(
                        type=views.ReplayView,
                        examples={
                            "dry run": views.replayed(KINDS, ReplayCount(0, 0), dry_run=True),
                            "done": views.replayed(KINDS, ReplayCount(20, 0), dry_run=False),
                        },
                    ),
                )
            },
            problems=BODY_PROBLEMS,
        ),
    ),
    Route(
        method="DELETE",
        path=BASE + "/{id}",
        handler=handlers.delete,
        admin=True,
        operation=Operation(
            id="deleteDeadLetter",
            tag="Administration",
            summary="Delete a dead letter",
            description="Its bytes and its history are cleared; it cannot be replayed any more.",
            answers={204: Answer(description="Deleted.", media_type=None)},
            problems=ITEM_PROBLEMS,
        ),
    ),
)
