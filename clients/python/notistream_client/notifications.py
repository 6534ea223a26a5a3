"""Operations on notifications and batches."""

from collections.abc import Sequence
from typing import Literal, Unpack

from notistream_client import bodies
from notistream_client.answers import (
    Batch,
    BatchAccepted,
    Figures,
    Notification,
    Page,
    Preview,
    Recalled,
    Trace,
)
from notistream_client.bodies import Id
from notistream_client.call import Call, at, new_key
from notistream_client.loading import one, page
from notistream_client.operation import Group, R_co, listing, operation
from notistream_client.records import SandboxMessage


class Notifications(Group[R_co]):
    """Send notifications, follow and cancel them."""

    @operation
    def create(
        self, *, request_key: str | None = None, **message: Unpack[bodies.NewNotification]
    ) -> Call[Notification]:
        """Accept a notification.

        `request_key` replaces the Idempotency-Key that is otherwise made for each call.
        """
        return Call(
            method="POST",
            path=at("notifications"),
            body=message,
            key=request_key or new_key(),
            read=one(Notification),
        )

    @operation
    def batch(
        self,
        notifications: Sequence[bodies.NewNotification],
        *,
        atomic: bool = False,
        request_key: str | None = None,
    ) -> Call[BatchAccepted]:
        """Accept up to 1000 notifications, each on its own; with `atomic`, all or none."""
        return Call(
            method="POST",
            path=at("notifications", "batch"),
            query={"atomic": True} if atomic else {},
            body={"notifications": notifications},
            key=request_key or new_key(),
            read=one(BatchAccepted),
        )

    @operation
    def bulk(
        self, *, request_key: str | None = None, **message: Unpack[bodies.NewBulk]
    ) -> Call[BatchAccepted]:
        """Accept one message to up to 1000 recipients."""
        return Call(
            method="POST",
            path=at("notifications", "bulk"),
            body=message,
            key=request_key or new_key(),
            read=one(BatchAccepted),
        )

    @operation
    def preview(self, **message: Unpack[bodies.NewNotification]) -> Call[Preview]:
        """Say what a create would lead to, and why; nothing is sent or stored."""
        return Call(
            method="POST",
            path=at("notifications", "preview"),
            body=message,
            changes=False,
            read=one(Preview),
        )

    @operation
    def get(self, notification_id: Id) -> Call[Notification]:
        """Show a notification."""
        return Call(method="GET", path=at("notifications", notification_id), read=one(Notification))

    @listing
    def list(
        self,
        *,
        cursor: str | None = None,
        page_size: int | None = None,
        **which: Unpack[bodies.NotificationFilter],
    ) -> Call[Page[Notification]]:
        """List notifications, newest first."""
        return Call(
            method="GET",
            path=at("notifications"),
            query={**which, "cursor": cursor, "page_size": page_size},
            read=page(Notification),
        )

    @operation
    def trace(self, notification_id: Id) -> Call[Trace]:
        """Show every decision and every attempt."""
        return Call(
            method="GET", path=at("notifications", notification_id, "trace"), read=one(Trace)
        )

    @operation
    def cancel(self, notification_id: Id) -> Call[Notification]:
        """Cancel a notification that still waits; Conflict if it does not."""
        return Call(
            method="PATCH",
            path=at("notifications", notification_id, "cancel"),
            read=one(Notification),
        )

    @operation
    def reschedule(
        self, notification_id: Id, **schedule: Unpack[bodies.Schedule]
    ) -> Call[Notification]:
        """Change when a waiting notification is due."""
        return Call(
            method="PATCH",
            path=at("notifications", notification_id),
            body=schedule,
            read=one(Notification),
        )

    @operation
    def resend(self, notification_id: Id, *, request_key: str | None = None) -> Call[Notification]:
        """Send a notification again that has ended."""
        return Call(
            method="POST",
            path=at("notifications", notification_id, "resend"),
            body={},
            key=request_key or new_key(),
            read=one(Notification),
        )

    @operation
    def resolve(
        self, notification_id: Id, outcome: Literal["delivered", "failed", "resend"]
    ) -> Call[Notification]:
        """Decide the outcome of a notification whose outcome is unknown."""
        return Call(
            method="POST",
            path=at("notifications", notification_id, "resolve"),
            body={"outcome": outcome},
            read=one(Notification),
        )

    @operation
    def recall(self, **which: Unpack[bodies.Recall]) -> Call[Recalled]:
        """Cancel all notifications that match and still wait."""
        return Call(
            method="POST", path=at("notifications", "recall"), body=which, read=one(Recalled)
        )

    @operation
    def figures(self) -> Call[Figures]:
        """Deliveries, failures and latency per channel."""
        return Call(method="GET", path=at("metrics"), read=one(Figures))

    @listing
    def sandbox(
        self,
        *,
        recipient: str | None = None,
        channel: bodies.Channel | str | None = None,
        cursor: str | None = None,
        page_size: int | None = None,
    ) -> Call[Page[SandboxMessage]]:
        """List messages of test keys, which the sandbox keeps instead of sending; newest first."""
        return Call(
            method="GET",
            path=at("sandbox", "messages"),
            query={
                "recipient": recipient,
                "channel": channel,
                "cursor": cursor,
                "page_size": page_size,
            },
            read=page(SandboxMessage),
        )


class Batches(Group[R_co]):
    """Notifications that were created together."""

    @operation
    def get(self, batch_id: Id) -> Call[Batch]:
        """Show the progress of a batch."""
        return Call(method="GET", path=at("batches", batch_id), read=one(Batch))

    @operation
    def cancel(self, batch_id: Id) -> Call[Batch]:
        """Cancel those of a batch that still wait."""
        return Call(
            method="POST",
            path=at("batches", batch_id, "cancel"),
            body={},
            changes=False,
            read=one(Batch),
        )
