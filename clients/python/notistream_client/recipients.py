"""Operations on recipients, their devices and preferences, and on the suppression list."""

from typing import Unpack

from notistream_client import bodies
from notistream_client.answers import Page
from notistream_client.bodies import Channel
from notistream_client.call import Call, at
from notistream_client.loading import nothing, one, page
from notistream_client.operation import Group, R_co, listing, operation
from notistream_client.records import Device, Erased, Preferences, Recipient, Suppression


class Recipients(Group[R_co]):
    """Recipients and their addresses, by your own ids."""

    @operation
    def put(self, recipient_id: str, **contact: Unpack[bodies.Contact]) -> Call[Recipient]:
        """Create or replace a recipient."""
        return Call(
            method="PUT", path=at("recipients", recipient_id), body=contact, read=one(Recipient)
        )

    @operation
    def get(self, recipient_id: str) -> Call[Recipient]:
        """Show a recipient."""
        return Call(method="GET", path=at("recipients", recipient_id), read=one(Recipient))

    @listing
    def list(
        self, *, cursor: str | None = None, page_size: int | None = None
    ) -> Call[Page[Recipient]]:
        """List recipients by id."""
        return Call(
            method="GET",
            path=at("recipients"),
            query={"cursor": cursor, "page_size": page_size},
            read=page(Recipient),
        )

    @operation
    def erase(self, recipient_id: str) -> Call[Erased]:
        """Erase all personal data of a recipient, everywhere."""
        return Call(method="DELETE", path=at("recipients", recipient_id), read=one(Erased))


class RecipientPreferences(Group[R_co]):
    """What recipients want to receive, and when."""

    @operation
    def get(self, recipient_id: str) -> Call[Preferences]:
        """Show the preferences of a recipient, who need not be stored."""
        return Call(
            method="GET", path=at("recipients", recipient_id, "preferences"), read=one(Preferences)
        )

    @operation
    def put(self, recipient_id: str, **wishes: Unpack[bodies.Wishes]) -> Call[Preferences]:
        """Replace all preferences of a recipient."""
        return Call(
            method="PUT",
            path=at("recipients", recipient_id, "preferences"),
            body=wishes,
            read=one(Preferences),
        )


class Devices(Group[R_co]):
    """Device tokens for push messages."""

    @operation
    def register(self, **device: Unpack[bodies.NewDevice]) -> Call[Device]:
        """Register or refresh a device token.

        It becomes the recipient's newest token; another recipient who had it loses it.
        """
        return Call(
            method="POST", path=at("device-tokens"), body=device, changes=False, read=one(Device)
        )

    @operation
    def forget(self, token: str) -> Call[None]:
        """Deregister a device token."""
        return Call(method="DELETE", path=at("device-tokens"), body={"token": token}, read=nothing)


class Suppressions(Group[R_co]):
    """Addresses to which nothing is sent."""

    @listing
    def list(
        self,
        *,
        channel: Channel | str | None = None,
        address: str | None = None,
        category: str | None = None,
        cursor: str | None = None,
        page_size: int | None = None,
    ) -> Call[Page[Suppression]]:
        """List suppressed addresses."""
        return Call(
            method="GET",
            path=at("suppressions"),
            read=page(Suppression),
            query={
                "channel": channel,
                "address": address,
                "category": category,
                "cursor": cursor,
                "page_size": page_size,
            },
        )

    @operation
    def put(self, **entry: Unpack[bodies.NewSuppression]) -> Call[Suppression]:
        """Stop sending to an address."""
        return Call(method="PUT", path=at("suppressions"), body=entry, read=one(Suppression))

    @operation
    def delete(self, **entry: Unpack[bodies.Suppressed]) -> Call[None]:
        """Send to an address again."""
        return Call(method="DELETE", path=at("suppressions"), body=entry, read=nothing)
