"""What is sent, as typed dictionaries: a field that is left out keeps its default, None says null."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Required, TypedDict
from uuid import UUID

Moment = datetime | str
"""With a zone; as text, RFC 3339."""
Id = str | UUID
Channel = Literal["sms", "email", "push", "in_app"]


class Message(TypedDict, total=False):
    """What to say, over which channel and when."""

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
    """A message to one recipient: an address, or a stored contact."""

    recipient: str | None
    recipient_id: str | None
    idempotency_key: str | None


class BulkRecipient(TypedDict, total=False):
    """One of those who get a message, with values of its own for the template."""

    recipient: str | None
    recipient_id: str | None
    template_variables: Mapping[str, Any] | None


class NewBulk(Message):
    """One message to 1 to 1000 recipients."""

    recipients: Sequence[BulkRecipient]


class Recall(TypedDict, total=False):
    """Which notifications: all that match every field; at least a template, a batch or a category."""

    template: Id | None
    batch_id: Id | None
    category: str | None
    channel: Channel | str | None


class Schedule(TypedDict, total=False):
    """When a notification is due; `scheduled_at` None: now, `expires_at` None: never expires."""

    scheduled_at: Required[Moment | None]
    expires_at: Moment | None


class NotificationFilter(TypedDict, total=False):
    """Which notifications are listed."""

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
    """A text with variables, for everybody and by language."""

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
    """The next version; `version` is the one that it replaces, another one by now is a Conflict."""

    version: int | None
    metadata: Mapping[str, Any] | None
    is_active: bool | None


class Values(TypedDict, total=False):
    """Values to try a template with."""

    template_variables: Mapping[str, Any] | None
    locale: str | None


class UnsavedTemplate(TemplateText, Values, total=False):
    """A template that is not stored, and values to try it with."""

    channel: Required[Channel | str]


class Contact(TypedDict, total=False):
    """Where a recipient can be reached; push tokens that are left out stay, all else is unset."""

    email: str | None
    phone: str | None
    push_tokens: Sequence[str] | None
    timezone: str | None
    locale: str | None


class QuietHoursWish(TypedDict):
    """From `start` to before `end`, as HH:MM in the recipient's zone."""

    start: str
    end: str


class FrequencyCapWish(TypedDict):
    """At most `count` in any window: `minute`, `hour`, `day` …, or minutes."""

    count: int
    per: str | int


class ChannelWish(TypedDict, total=False):
    """What a recipient wishes of a channel."""

    enabled: bool | None
    quiet_hours: QuietHoursWish | None
    frequency_cap: FrequencyCapWish | None


class Wishes(TypedDict, total=False):
    """All that a recipient wishes; what is left out goes back to its default."""

    channels: Mapping[str, ChannelWish | None] | None
    categories: Mapping[str, bool] | None


class NewDevice(TypedDict, total=False):
    """A device of a recipient."""

    recipient_id: Required[str]
    token: Required[str]
    platform: str | None


class Suppressed(TypedDict, total=False):
    """An address of a channel, for all messages or those of a category."""

    channel: Required[Channel | str]
    address: Required[str]
    category: str | None


class NewSuppression(Suppressed, total=False):
    """And why it is not to be sent to."""

    reason: Literal["bounce", "complaint", "unsubscribe", "manual"] | None
    note: str | None


class Endpoint(TypedDict, total=False):
    """An endpoint that is told of events; without `events` of all."""

    url: Required[str]
    description: str | None
    events: Sequence[str] | None
    is_active: bool | None
    secret: str | None


class Redelivery(TypedDict, total=False):
    """One delivery, or those of a span of time that failed (or `delivered`, or `all`)."""

    delivery_id: Id | None
    since: Moment | None
    until: Moment | None
    status: Literal["failed", "delivered", "all"] | None
