"""Request bodies as typed dictionaries.

A field that is left out keeps its default; None is sent as null.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Required, TypedDict
from uuid import UUID

Moment = datetime | str
"""A datetime with a time zone, or text as RFC 3339."""
Id = str | UUID
Channel = Literal["sms", "email", "push", "in_app"]


class Message(TypedDict, total=False):
    """The message, its channel and when to send it."""

    channel: Required[Channel | str]
    content: str | None
    subject: str | None
    template_id: Id | None
    """Id or name."""
    template_variables: Mapping[str, Any] | None
    locale: str | None
    priority: Literal["high", "normal", "low"] | int | None
    scheduled_at: Moment | None
    expires_at: Moment | None
    category: str | None
    type: str | None
    metadata: Mapping[str, Any] | None
    on_unknown: Literal["resend", "hold"] | None


class NewNotification(Message, total=False):
    """A message to one recipient: an address or a stored recipient."""

    recipient: str | None
    recipient_id: str | None
    idempotency_key: str | None


class BulkRecipient(TypedDict, total=False):
    """One recipient of a bulk message, with its own values for the template."""

    recipient: str | None
    recipient_id: str | None
    template_variables: Mapping[str, Any] | None


class NewBulk(Message):
    """One message to 1 to 1000 recipients."""

    recipients: Sequence[BulkRecipient]


class Recall(TypedDict, total=False):
    """Which notifications to cancel: those that match every field.

    At least one of `template`, `batch_id` and `category` is needed.
    """

    template: Id | None
    batch_id: Id | None
    category: str | None
    channel: Channel | str | None


class Schedule(TypedDict, total=False):
    """When a notification is due: `scheduled_at` None is now, `expires_at` None is never."""

    scheduled_at: Required[Moment | None]
    expires_at: Moment | None


class NotificationFilter(TypedDict, total=False):
    """Which notifications to list."""

    status: str | Sequence[str]
    channel: Channel | str
    recipient: str
    recipient_id: str
    batch_id: Id
    template: Id
    date_from: Moment
    date_to: Moment


class VariantText(TypedDict, total=False):
    """The texts of a template in one language."""

    subject: str | None
    body: Required[str]
    html: str | None


class TemplateText(TypedDict, total=False):
    """A text with variables, and its variants by language."""

    subject: str | None
    body: Required[str]
    html: str | None
    variants: Mapping[str, VariantText] | None


class NewTemplate(TemplateText, total=False):
    """A template; its name is unique per channel."""

    name: Required[str]
    channel: Required[Channel | str]
    metadata: Mapping[str, Any] | None
    is_active: bool | None


class NextTemplate(TemplateText, total=False):
    """The next version. `version` is the one that it replaces; if it is outdated: Conflict."""

    version: int | None
    metadata: Mapping[str, Any] | None
    is_active: bool | None


class Values(TypedDict, total=False):
    """Values to render a template with."""

    template_variables: Mapping[str, Any] | None
    locale: str | None


class UnsavedTemplate(TemplateText, Values, total=False):
    """A template that is not stored, and values to render it with."""

    channel: Required[Channel | str]


class Contact(TypedDict, total=False):
    """Addresses of a recipient. Push tokens that are left out stay; other fields are unset."""

    email: str | None
    phone: str | None
    push_tokens: Sequence[str] | None
    timezone: str | None
    locale: str | None


class QuietHoursWish(TypedDict):
    """From `start` until just before `end`, as HH:MM in the recipient's time zone."""

    start: str
    end: str


class FrequencyCapWish(TypedDict):
    """At most `count` in any window of length `per`: `minute`, `hour`, `day` … or minutes."""

    count: int
    per: str | int


class ChannelWish(TypedDict, total=False):
    """A recipient's preferences for one channel."""

    enabled: bool | None
    quiet_hours: QuietHoursWish | None
    frequency_cap: FrequencyCapWish | None


class Wishes(TypedDict, total=False):
    """All preferences of a recipient; what is left out returns to its default."""

    channels: Mapping[str, ChannelWish | None] | None
    categories: Mapping[str, bool] | None


class NewDevice(TypedDict, total=False):
    """A device of a recipient."""

    recipient_id: Required[str]
    token: Required[str]
    platform: str | None


class Suppressed(TypedDict, total=False):
    """An address of a channel, for all messages or for those of one category."""

    channel: Required[Channel | str]
    address: Required[str]
    category: str | None


class NewSuppression(Suppressed, total=False):
    """An address, and why nothing may be sent to it."""

    reason: Literal["bounce", "complaint", "unsubscribe", "manual"] | None
    note: str | None


class Endpoint(TypedDict, total=False):
    """An endpoint that receives events; without `events` it receives all."""

    url: Required[str]
    description: str | None
    events: Sequence[str] | None
    is_active: bool | None
    secret: str | None


class Redelivery(TypedDict, total=False):
    """One delivery, or those between `since` and `until` with the given status.

    Without a status: those that failed.
    """

    delivery_id: Id | None
    since: Moment | None
    until: Moment | None
    status: Literal["failed", "delivered", "all"] | None
