"""Operations on recipients' inboxes.

A recipient's token already says who the recipient is; with a key, pass `recipient_id`.
"""

from collections.abc import Mapping

from notistream_client.answers import Page
from notistream_client.bodies import Id
from notistream_client.call import Call, at
from notistream_client.loading import nothing, one, page
from notistream_client.operation import Group, R_co, listing, operation
from notistream_client.records import InboxMessage, Token, Unread


def owner(recipient_id: str | None) -> Mapping[str, str]:
    """The header that names the owner of the inbox."""
    return {} if recipient_id is None else {"X-Recipient-ID": recipient_id}


class Inbox(Group[R_co]):
    """In-app messages."""

    @listing
    def list(
        self,
        recipient_id: str | None = None,
        *,
        unread: bool = False,
        cursor: str | None = None,
        page_size: int | None = None,
    ) -> Call[Page[InboxMessage]]:
        """List messages, newest first."""
        return Call(
            method="GET",
            path=at("inbox"),
            headers=owner(recipient_id),
            read=page(InboxMessage),
            query={"unread": True if unread else None, "cursor": cursor, "page_size": page_size},
        )

    @operation
    def count_unread(self, recipient_id: str | None = None) -> Call[Unread]:
        """Count unread messages."""
        return Call(
            method="GET",
            path=at("inbox", "unread-count"),
            headers=owner(recipient_id),
            read=one(Unread),
        )

    @operation
    def mark_read(self, message_id: Id, recipient_id: str | None = None) -> Call[None]:
        """Mark a message as read."""
        return Call(
            method="POST",
            path=at("inbox", message_id, "read"),
            headers=owner(recipient_id),
            body={},
            changes=False,
            read=nothing,
        )

    @operation
    def mark_all_read(self, recipient_id: str | None = None) -> Call[None]:
        """Mark all messages as read."""
        return Call(
            method="POST",
            path=at("inbox", "read-all"),
            headers=owner(recipient_id),
            body={},
            changes=False,
            read=nothing,
        )

    @operation
    def token(self, recipient_id: str, *, ttl_s: int | None = None) -> Call[Token]:
        """Make a token for a browser or an app.

        It opens this recipient's inbox and status updates.
        """
        body = {"recipient_id": recipient_id, **({} if ttl_s is None else {"ttl": ttl_s})}
        return Call(method="POST", path=at("ws-token"), body=body, changes=False, read=one(Token))
