"""Row of the route table: the sandbox."""

from notistream.web.sandbox import handlers
from notistream.web.server.parameters import CHANNEL, CURSOR, LIST_PROBLEMS, SIZE, V1
from notistream.web.server.route import Answer, Content, Operation, Parameter, Route

KEPT = {
    "data": [
        {
            "id": "01936f5e-7b1c-7d3a-9a53-0242ac120002",
            "notification_id": "01936f5e-7a00-7c11-8e2f-0242ac120002",
            "channel": "sms",
            "recipient": "+15005550003",
            "recipient_id": None,
            "subject": None,
            "content": "Your code is 4711",
            "html": None,
            "headers": {},
            "payload": {"code": "4711"},
            "outcome": "temporary",
            "tries": 2,
            "created_at": "2026-11-25T10:00:00Z",
        }
    ],
    "next_cursor": None,
}

SANDBOX = (
    Route(
        method="GET",
        path=V1 + "/sandbox/messages",
        handler=handlers.show_many,
        operation=Operation(
            id="listSandboxMessages",
            tag="Notifications",
            summary="List the messages that the sandbox kept",
            description=(
                "What is accepted with a test key goes here, and nowhere else. An address asks for"
                " a failure: numbers +15005550001 (permanent), …2 (dead address), …3 (temporary),"
                " …4 (throttled), …5 (no answer); e-mail `anyone+permanent@…`, `+dead`,"
                " `+temporary`, `+throttled`, `+timeout`; push tokens and recipient ids that end in"
                " `-permanent` and so on. Kept for a week, 10,000 at most."
            ),
            query=(
                Parameter(name="recipient", description="To exactly this address."),
                CHANNEL,
                CURSOR,
                SIZE,
            ),
            answers={
                200: Answer(
                    description="A page.",
                    content=Content(type=handlers.SandboxPage, examples={"page": KEPT}),
                )
            },
            problems=LIST_PROBLEMS,
        ),
    ),
)
