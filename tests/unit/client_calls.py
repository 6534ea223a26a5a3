"""Every operation of the client by its name, with arguments that use every field."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from notistream_client import Client

ID = UUID("01970000-0000-7000-8000-0000000000aa")
AT = datetime(2030, 1, 31, 9, 0, tzinfo=UTC)
MESSAGE: dict[str, Any] = {
    "channel": "email",
    "content": "hi",
    "subject": "s",
    "template_id": ID,
    "template_variables": {"a": 1},
    "locale": "pt-BR",
    "priority": "high",
    "scheduled_at": AT,
    "expires_at": "2030-02-01T00:00:00Z",
    "category": "c",
    "type": "t",
    "metadata": {},
    "on_unknown": "hold",
}
NEW = {**MESSAGE, "recipient": "a@example.com", "recipient_id": "u/1", "idempotency_key": "k"}
TEXT: dict[str, Any] = {
    "subject": "s",
    "body": "b",
    "html": "<p>b</p>",
    "variants": {"pt": {"subject": "s", "body": "b", "html": "h"}},
}
TEMPLATE = {**TEXT, "metadata": {}, "is_active": True}
VALUES: dict[str, Any] = {"template_variables": {"a": 1}, "locale": "pt"}
ENDPOINT: dict[str, Any] = {
    "url": "https://example.com/hook",
    "description": "d",
    "events": ["notification.failed"],
    "is_active": True,
    "secret": "a secret of our own",
}
PAGE: dict[str, Any] = {"cursor": "c", "page_size": 5}
ENTRY: dict[str, Any] = {"channel": "email", "address": "a@example.com", "category": "c"}

CALLS: Mapping[str, Callable[[Client], Any]] = {
    "notifications.create": lambda c: c.notifications.create(**NEW),
    "notifications.batch": lambda c: c.notifications.batch([NEW, NEW], atomic=True),
    "notifications.bulk": lambda c: c.notifications.bulk(
        **MESSAGE,
        recipients=[
            {"recipient": "a@example.com", "recipient_id": "u", "template_variables": {"a": 2}}
        ],
    ),
    "notifications.preview": lambda c: c.notifications.preview(**NEW),
    "notifications.get": lambda c: c.notifications.get(ID),
    "notifications.list": (
        lambda c: c.notifications.list(
            status=["queued", "failed"],
            channel="sms",
            recipient="+905000000000",
            recipient_id="u",
            batch_id=ID,
            template="welcome",
            date_from=AT,
            date_to=AT,
            **PAGE,
        ).page()
    ),
    "notifications.trace": lambda c: c.notifications.trace(ID),
    "notifications.cancel": lambda c: c.notifications.cancel(ID),
    "notifications.reschedule": lambda c: c.notifications.reschedule(
        ID, scheduled_at=None, expires_at=AT
    ),
    "notifications.resend": lambda c: c.notifications.resend(ID),
    "notifications.resolve": lambda c: c.notifications.resolve(ID, "delivered"),
    "notifications.recall": lambda c: c.notifications.recall(
        template="welcome", batch_id=ID, category="c", channel="sms"
    ),
    "notifications.figures": lambda c: c.notifications.figures(),
    "notifications.sandbox": (
        lambda c: c.notifications.sandbox(recipient="+15005550001", channel="sms", **PAGE).page()
    ),
    "batches.get": lambda c: c.batches.get(ID),
    "batches.cancel": lambda c: c.batches.cancel(ID),
    "templates.create": lambda c: c.templates.create(name="n", channel="email", **TEMPLATE),
    "templates.get": lambda c: c.templates.get(ID),
    "templates.list": lambda c: c.templates.list(channel="sms", name="n", **PAGE).page(),
    "templates.replace": lambda c: c.templates.replace(ID, version=1, **TEMPLATE),
    "templates.delete": lambda c: c.templates.delete(ID),
    "templates.versions": lambda c: c.templates.versions(ID, **PAGE).page(),
    "templates.preview": lambda c: c.templates.preview(ID, **VALUES),
    "templates.preview_unsaved": lambda c: c.templates.preview_unsaved(
        channel="sms", **TEXT, **VALUES
    ),
    "recipients.put": lambda c: c.recipients.put(
        "u/1",
        email="a@example.com",
        phone="+905000000000",
        push_tokens=["t"],
        timezone="UTC",
        locale="en",
    ),
    "recipients.get": lambda c: c.recipients.get("u/1"),
    "recipients.list": lambda c: c.recipients.list(**PAGE).page(),
    "recipients.erase": lambda c: c.recipients.erase("ü 1"),
    "preferences.get": lambda c: c.preferences.get("u"),
    "preferences.put": lambda c: c.preferences.put(
        "u",
        categories={"marketing": False},
        channels={
            "email": {
                "enabled": True,
                "quiet_hours": {"start": "22:00", "end": "08:00"},
                "frequency_cap": {"count": 5, "per": "day"},
            }
        },
    ),
    "devices.register": lambda c: c.devices.register(recipient_id="u", token="t", platform="ios"),
    "devices.forget": lambda c: c.devices.forget("t"),
    "suppressions.list": lambda c: c.suppressions.list(**ENTRY, **PAGE).page(),
    "suppressions.put": lambda c: c.suppressions.put(**ENTRY, reason="bounce", note="n"),
    "suppressions.delete": lambda c: c.suppressions.delete(**ENTRY),
    "webhooks.create": lambda c: c.webhooks.create(**ENDPOINT),
    "webhooks.get": lambda c: c.webhooks.get(ID),
    "webhooks.list": lambda c: c.webhooks.list(**PAGE).page(),
    "webhooks.put": lambda c: c.webhooks.put(ID, **ENDPOINT),
    "webhooks.delete": lambda c: c.webhooks.delete(ID),
    "webhooks.rotate_secret": lambda c: c.webhooks.rotate_secret(
        ID, secret="another secret of our own"
    ),
    "webhooks.test": lambda c: c.webhooks.test(ID),
    "webhooks.deliveries": (
        lambda c: c.webhooks.deliveries(
            ID, status="failed", event_type="notification.failed", **PAGE
        ).page()
    ),
    "webhooks.delivery": lambda c: c.webhooks.delivery(ID, ID),
    "webhooks.redeliver": lambda c: c.webhooks.redeliver(
        ID, delivery_id=ID, since=AT, until=AT, status="all"
    ),
    "inbox.list": lambda c: c.inbox.list("ü", unread=True, **PAGE).page(),
    "inbox.count_unread": lambda c: c.inbox.count_unread("u"),
    "inbox.mark_read": lambda c: c.inbox.mark_read(ID, "u"),
    "inbox.mark_all_read": lambda c: c.inbox.mark_all_read("u"),
    "inbox.token": lambda c: c.inbox.token("u", ttl_s=300),
}
