"""What the page of a recipient shows: contacts, devices, preferences, suppressed addresses."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from notistream.db import device_tokens, erasure, preferences, recipients, suppressions
from notistream.db.device_tokens import StoredToken
from notistream.db.pool import Database
from notistream.db.preferences import StoredPreferences
from notistream.db.recipients import StoredRecipient
from notistream.db.suppressions import StoredSuppression
from notistream.db.tenants import StoredTenant
from notistream.domain.notification import CHANNELS
from notistream.domain.preference import ChannelPreference, preferences_from, span, zone_of
from notistream.errors import NotFound
from notistream.recipients.erasure import addresses_of
from notistream.recipients.support import reference


@dataclass(frozen=True, slots=True)
class ChannelView:
    """The preference of a channel in words; `quiet_until` is set during quiet hours."""

    channel: str
    enabled: bool
    words: Sequence[str]
    quiet_until: datetime | None


@dataclass(frozen=True, slots=True)
class RecipientView:
    """A recipient; `stored` is None where there are preferences only."""

    tenant: StoredTenant
    id: str
    stored: StoredRecipient | None
    tokens: Sequence[StoredToken]
    preferences: StoredPreferences
    addresses: Sequence[tuple[str, str]]
    suppressions: Sequence[StoredSuppression]
    zone: str

    @property
    def reference(self) -> str:
        """How the audit log names this recipient."""
        return reference(self.tenant.id, self.id)

    @property
    def channels(self) -> Sequence[ChannelView]:
        wanted = preferences_from(self.preferences.channels, self.preferences.categories)
        return [_channel_view(channel, wanted.of(channel), self.zone) for channel in CHANNELS]

    @property
    def local_time(self) -> str:
        return f"{datetime.now(zone_of(self.zone)):%H:%M}"

    def mark(self, channel: str, address: str, category: str = "") -> str:
        """A hash that stands for an address in a form, so that the page does not hold it."""
        return reference(self.tenant.id, channel, address, category)

    def address_of(self, mark: str) -> tuple[str, str] | None:
        return next((place for place in self.addresses if self.mark(*place) == mark), None)

    def suppression_of(self, mark: str) -> StoredSuppression | None:
        return next(
            (
                one
                for one in self.suppressions
                if self.mark(one.channel, one.address, one.category) == mark
            ),
            None,
        )


async def view_of(database: Database, tenant: StoredTenant, recipient_id: str) -> RecipientView:
    """The view of a recipient; raises NotFound where nothing is stored about it."""
    known = await erasure.known(database, tenant.id, recipient_id)
    if not known.stored:
        raise NotFound("this tenant has no such recipient")
    stored = await recipients.get(database, tenant.id, recipient_id)
    addresses = addresses_of(recipient_id, known)
    return RecipientView(
        tenant,
        recipient_id,
        stored,
        await device_tokens.list_of(database, tenant.id, recipient_id),
        await preferences.get(database, tenant.id, recipient_id),
        addresses,
        await suppressions.of_addresses(database, tenant.id, addresses),
        stored.timezone if stored else "UTC",
    )


def _channel_view(channel: str, wanted: ChannelPreference, zone: str) -> ChannelView:
    quiet = wanted.quiet_hours
    until = quiet.ends_at(datetime.now(UTC), zone_of(zone)) if quiet else None
    return ChannelView(channel, wanted.enabled, list(_words(wanted)), until)


def _words(wanted: ChannelPreference) -> Iterator[str]:
    if quiet := wanted.quiet_hours:
        night = " of the next day" if quiet.start > quiet.end else ""
        yield f"quiet from {quiet.start:%H:%M} to {quiet.end:%H:%M}{night}"
    if cap := wanted.frequency_cap:
        yield f"at most {cap.count} per {span(cap.window_s)}"
