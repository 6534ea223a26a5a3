"""What the service answers about templates, recipients, webhooks and inboxes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from notistream_client.answers import Segments


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """The texts of a template in one language."""

    subject: str | None = None
    body: str
    html: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """The current version of a template."""

    id: str
    tenant_id: str
    name: str
    channel: str
    version: int
    subject: str | None = None
    body: str
    html: str | None = None
    variants: Mapping[str, Variant]
    metadata: Mapping[str, Any]
    is_active: bool
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateVersion:
    """One version of a template."""

    version: int
    subject: str | None = None
    body: str
    html: str | None = None
    variants: Mapping[str, Variant]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a part of a template cannot be sent."""

    part: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplatePreview:
    """A template rendered with given values.

    `body` is None if it cannot be rendered; `errors` says why.
    """

    subject: str | None = None
    body: str | None = None
    html: str | None = None
    variant: str | None = None
    variables: tuple[str, ...]
    missing: tuple[str, ...]
    unused: tuple[str, ...]
    characters: int | None = None
    limit: int
    sms: Segments | None = None
    errors: tuple[Fault, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """The addresses of a recipient."""

    id: str
    email: str | None = None
    phone: str | None = None
    push_tokens: tuple[str, ...] = ()
    timezone: str
    locale: str | None = None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """How many notifications lost their personal data, and how many of them were cancelled."""

    notifications: int
    cancelled: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """From `start` until just before `end`, as HH:MM in the recipient's time zone."""

    start: str
    end: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FrequencyCap:
    """At most `count` in any window of length `per`: a word, or minutes."""

    count: int
    per: str | int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelPreference:
    """A recipient's preferences for one channel."""

    enabled: bool
    quiet_hours: QuietHours | None = None
    frequency_cap: FrequencyCap | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """A recipient's preferences: every channel, and the categories that were set."""

    channels: Mapping[str, ChannelPreference]
    categories: Mapping[str, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device token and its owner."""

    token: str
    recipient_id: str
    platform: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """An address to which nothing is sent; with a category, nothing of that category."""

    channel: str
    address: str
    category: str | None = None
    reason: str
    note: str | None = None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """An endpoint that receives events. Only the answers that set the secret contain it."""

    id: str
    url: str
    description: str | None = None
    events: tuple[str, ...]
    is_active: bool
    disabled_at: datetime | None = None
    disabled_reason: str | None = None
    failing_since: datetime | None = None
    old_secret_until: datetime | None = None
    created_at: datetime
    updated_at: datetime
    secret: str | None = None
    signing_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookCall:
    """One call of an endpoint."""

    number: int
    at: datetime
    duration_ms: float
    status: int | None = None
    error: str | None = None
    response: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookDelivery:
    """The delivery of one event to an endpoint.

    Only the answer about a single delivery has `payload` and `history`.
    """

    id: str
    webhook_id: str
    event_id: str
    event_type: str
    status: str
    attempts: int
    next_attempt_at: datetime | None = None
    response_status: int | None = None
    error: str | None = None
    occurred_at: datetime
    created_at: datetime
    ended_at: datetime | None = None
    payload: Mapping[str, Any] | None = None
    history: tuple[WebhookCall, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Redelivered:
    """How many deliveries will be repeated."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A recipient's token for a browser or an app; `expires_in` is in seconds."""

    token: str
    expires_in: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxMessage:
    """A message in an inbox."""

    id: str
    notification_id: str
    recipient_id: str
    title: str | None = None
    body: str
    payload: Mapping[str, Any]
    read_at: datetime | None = None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """How many messages of an inbox are unread."""

    unread: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxMessage:
    """A message of a test key, which was kept instead of sent."""

    id: str
    notification_id: str
    channel: str
    recipient: str
    recipient_id: str | None = None
    subject: str | None = None
    content: str
    html: str | None = None
    headers: Mapping[str, str]
    payload: Mapping[str, Any]
    outcome: str
    tries: int
    created_at: datetime
