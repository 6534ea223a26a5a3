"""Rows of the route table for inboxes, status updates and recipient tokens."""

from uuid import UUID

from notistream.db.inbox import InboxMessage
from notistream.domain.validation import MAX_RECIPIENT_ID
from notistream.web.inbox import handlers, streams, views
from notistream.web.notifications import examples
from notistream.web.server.parameters import (
    BODY_PROBLEMS,
    CURSOR,
    EMPTY_BODY,
    LIST_PROBLEMS,
    SIZE,
    V1,
)
from notistream.web.server.parameters import UUID as ANY_UUID
from notistream.web.server.route import Answer, Content, Handler, Operation, Parameter, Route
from notistream.web.server.ws_credentials import RECIPIENT_HEADER

BASE = V1 + "/inbox"
OWNER = Parameter(
    name=RECIPIENT_HEADER,
    description="Whose inbox; not needed with a recipient's token.",
    schema={"type": "string", "minLength": 1, "maxLength": MAX_RECIPIENT_ID},
)
TOKEN = Parameter(
    name="token", description="A recipient's token, where it can be sent in no other way."
)
LIMIT = Parameter(name="limit", description="Alias of `page_size`.", schema=SIZE.schema)
AFTER_ID = Parameter(name="after_id", description="Alias of `cursor`.", schema=ANY_UUID)
UNREAD = Parameter(
    name="unread",
    description="true: only what is unread.",
    schema={"type": "boolean", "default": False},
)
SINCE = Parameter(
    name="since",
    description=(
        "Id of the last message that the client has; 00000000-0000-0000-0000-000000000000 for "
        "all. Left out: only what comes from now on."
    ),
    schema=ANY_UUID,
)
DONE = Answer(description="Done.", media_type=None)

MESSAGE = views.message(
    InboxMessage(
        id=UUID("01970000-0000-5000-8000-000000000001"),
        seq=1,
        notification_id=examples.ID,
        recipient_id="user-123",
        title="Welcome",
        body="Hello Ann",
        payload={"name": "Ann"},
        read_at=None,
        created_at=examples.NOW,
    )
)
STATUS: views.StatusFrame = {
    "id": UUID("01970000-0000-5000-8000-000000000002"),
    "type": "notification.delivered",
    "notification_id": examples.ID,
    "status": "delivered",
    "timestamp": examples.NOW,
    "channel": "in_app",
    "priority": "normal",
    "attempts": 1,
    "chain": 1,
    "recipient_id": "user-123",
    "provider": "in_app",
}
CLOSED = (
    " Closed with 4001 when the token expires, 4008 when the client is too slow, 1012 when the"
    " server restarts."
)


def _done(identity: str, path: str, handler: Handler, *, summary: str, missing: bool) -> Route:
    return Route(
        method="POST",
        path=path,
        handler=handler,
        token=True,
        operation=Operation(
            id=identity,
            tag="Real time",
            summary=summary,
            headers=(OWNER,),
            body=EMPTY_BODY,
            answers={204: DONE},
            problems=(*BODY_PROBLEMS, 404) if missing else BODY_PROBLEMS,
        ),
    )


REALTIME = (
    Route(
        method="POST",
        path=V1 + "/ws-token",
        handler=handlers.issue_token,
        operation=Operation(
            id="issueToken",
            tag="Real time",
            summary="Issue a token for a recipient's browser or app",
            description=(
                "It opens this recipient's inbox and status updates, and nothing else, until it"
                " expires."
            ),
            body=Content(
                type=views.WantedToken,
                examples={
                    "an hour": {"recipient_id": "user-123"},
                    "five minutes": {"recipient_id": "user-123", "ttl": 300},
                },
            ),
            answers={
                200: Answer(
                    description="The token.",
                    content=Content(
                        type=views.TokenView,
                        examples={
                            "token": {"token": "eyJhbGciOiJIUzI1NiJ9.e30.c2ln", "expires_in": 3600}
                        },
                    ),
                )
            },
            problems=BODY_PROBLEMS,
        ),
    ),
    Route(
        method="GET",
        path=BASE,
        handler=handlers.show_many,
        token=True,
        operation=Operation(
            id="listInbox",
            tag="Real time",
            summary="List a recipient's in-app messages, newest first",
            headers=(OWNER,),
            query=(CURSOR, SIZE, UNREAD, LIMIT, AFTER_ID),
            answers={
                200: Answer(
                    description="A page.",
                    content=Content(
                        type=views.InboxPage,
                        examples={"page": {"data": [MESSAGE], "next_cursor": None}},
                    ),
                )
            },
            problems=LIST_PROBLEMS,
        ),
    ),
    Route(
        method="GET",
        path=BASE + "/unread-count",
        handler=handlers.count_unread,
        token=True,
        operation=Operation(
            id="countUnread",
            tag="Real time",
            summary="Count a recipient's unread messages",
            headers=(OWNER,),
            answers={
                200: Answer(
                    description="The count.",
                    content=Content(type=views.UnreadView, examples={"three": {"unread": 3}}),
                )
            },
            problems=LIST_PROBLEMS,
        ),
    ),
    _done(
        "markRead",
        BASE + "/{id}/read",
        handlers.mark_read,
        summary="Mark a message as read",
        missing=True,
    ),
    _done(
        "markAllRead",
        BASE + "/read-all",
        handlers.mark_all_read,
        summary="Mark all messages as read",
        missing=False,
    ),
    Route(
        method="GET",
        path=BASE + "/stream",
        handler=streams.follow_inbox,
        token=True,
        operation=Operation(
            id="streamInbox",
            tag="Real time",
            summary="WebSocket: messages as they come into an inbox",
            description=(
                "First everything after `since`, then what comes: each message once, in order. A"
                " client that connects again with the id of its last message misses nothing."
            )
            + CLOSED,
            headers=(OWNER,),
            query=(SINCE, TOKEN),
            answers={
                101: Answer(
                    description="One message per frame.",
                    content=Content(type=views.InboxMessageView, examples={"message": MESSAGE}),
                )
            },
            problems=(*LIST_PROBLEMS, 426),
        ),
    ),
    Route(
        method="GET",
        path="/ws",
        handler=streams.statuses,
        token=True,
        operation=Operation(
            id="streamStatuses",
            tag="Real time",
            summary="WebSocket: status updates of the tenant's notifications",
            description=(
                "With a recipient's token only of that recipient's. What happens while a client is"
                " away is not sent later: read the notification."
            )
            + CLOSED,
            query=(TOKEN,),
            answers={
                101: Answer(
                    description="One update per frame.",
                    content=Content(type=views.StatusFrame, examples={"delivered": STATUS}),
                )
            },
            problems=(*LIST_PROBLEMS, 426),
        ),
    ),
)
